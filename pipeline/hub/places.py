"""Datasets of prefmill wherever they are: folders, runs, URLs, and repos of a hub."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.dataset.read import CARD, MANIFEST, DatasetFolder, is_ours, open_dataset
from pipeline.files import cache_folder, file_digest, read_json
from pipeline.hub.address import HubPlace, place_of
from pipeline.hub.patience import in_words
from pipeline.hub.store import Store
from schemas.errors import InputError


def open_place(place: str) -> DatasetFolder:
    """The dataset at a place, brought to this machine if it is elsewhere.

    Args:
        place: a dataset folder or a run's output folder, a URL that fsspec knows, or
            `org/name[@revision]` of a hub; without a revision, `main` as it is now.

    Raises:
        InputError: there is none, or it cannot be reached or read.
    """
    where = place_of(place)
    if isinstance(where, HubPlace):
        return _from_hub(where)
    store = Store(where.url)
    return open_dataset(store.path) if store.path is not None else _from_store(store)


def _from_hub(place: HubPlace) -> DatasetFolder:
    """By way of the client's cache; its commits are kept, so one is downloaded once."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

    where = {"repo_id": place.repo_id, "repo_type": "dataset"}
    with in_words(str(place)):
        try:
            found = Path(hf_hub_download(filename=MANIFEST, revision=place.revision, **where))
            manifest = _manifest(read_json(found), str(place))
            # The folder has the commit's name: what is read is one commit, whatever is pushed now.
            commit = found.parent.name
            wanted = [MANIFEST, *manifest["files"]]
            folder = Path(snapshot_download(revision=commit, allow_patterns=wanted, **where))
        except RemoteEntryNotFoundError:
            raise _not_ours(str(place)) from None
        except LocalEntryNotFoundError as error:
            raise _not_reached(place, error) from None
    _check_whole(folder, manifest, str(place))
    return DatasetFolder(folder, manifest)


def _not_reached(place: HubPlace, error: Exception) -> InputError:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return InputError(
            f"{place}: HF_HUB_OFFLINE is set, and the cache does not hold this dataset whole. "
            "Unset it once to download the dataset."
        )
    return InputError(
        f"{place}: {constants.ENDPOINT} cannot be reached, and the cache does not hold this "
        "dataset whole. Run the same command again when it can."
    )


def _from_store(store: Store) -> DatasetFolder:
    """Kept in the cache under the address and the manifest, so a release is downloaded once."""
    if MANIFEST not in store.sizes():
        raise _not_ours(str(store))
    content = store.read(MANIFEST)
    name = blake2b(store.url.encode() + b"\0" + content, digest_size=16).hexdigest()
    kept = cache_folder() / "datasets" / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            fresh = Path(scratch) / name
            _download(store, fresh, content)
            shutil.move(fresh, kept)
    return open_dataset(kept)


def _download(store: Store, folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / MANIFEST).write_bytes(content)
    manifest = _manifest(read_json(folder / MANIFEST), str(store))
    for path, facts in manifest["files"].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        store.get(path, folder / path)
        if path != CARD and file_digest(folder / path) != facts["blake2b_128"]:
            raise InputError(
                f"{store}: {path} does not fit its {MANIFEST}: a push there is under way or has "
                "not ended. Run the push again, or read again later."
            )


def _manifest(found: dict[str, Any] | None, place: str) -> dict[str, Any]:
    if found is None or not is_ours(found):
        raise _not_ours(place)
    return found


def _not_ours(place: str) -> InputError:
    return InputError(
        f"{place}: prefmill did not write what is there: no {MANIFEST} of a dataset of ours. Name "
        "a place that `prefmill push` published to."
    )


def _check_whole(folder: Path, manifest: Mapping[str, Any], place: str) -> None:
    for path, facts in manifest["files"].items():
        file = folder / path
        if not file.is_file() or (path != CARD and file.stat().st_size != facts["bytes"]):
            raise InputError(
                f"{place}: {path} is missing or not whole there, though its {MANIFEST} lists it. "
                "Publish the dataset again, or name another revision."
            )
