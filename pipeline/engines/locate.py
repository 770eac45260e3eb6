"""Where a model's or tokenizer's files are, and what they are: without loading anything.

A name is, in this order: a bundled alias, a local folder, a Hugging Face Hub id.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.engines.bundled import ALIASES, packaged_path
from pipeline.engines.cache import remembered_digest
from schemas.errors import InputError
from schemas.ids import digest

_SEMANTIC_FILES = (".json", ".jinja", ".model", ".txt", ".safetensors", ".bin", ".gguf", ".py")


@dataclass(frozen=True, slots=True)
class Located:
    """Files that were found.

    Attributes:
        path: an alias, an absolute folder, or a hub id.
        revision: the commit of a hub id; else None.
        fingerprint: identity of the content.
    """

    path: str
    revision: str | None
    fingerprint: str


def locate(name: str, revision: str | None, base: Path) -> Located:
    """Find a model or tokenizer by name; relative folders start from `base`, then from here.

    Raises:
        InputError: there is no such folder, or no such model on the hub or in its local cache.
    """
    if name in ALIASES:
        path = packaged_path(ALIASES[name])
        found = folder_digest(path) if path.is_dir() else remembered_digest(path)
        return Located(name, None, found)
    for folder in (base / Path(name).expanduser(), Path(name).expanduser()):
        if folder.is_dir():
            return Located(str(folder.resolve()), None, folder_digest(folder))
    if _looks_like_path(name):
        raise InputError(
            f"model `{name}` is not a folder here ({(base / name).resolve()}). "
            f"Give a folder, a Hugging Face id such as org/name, or one of: {', '.join(ALIASES)}."
        )
    commit = _hub_commit(name, revision)
    return Located(name, commit, digest(name, commit))


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") != 1 or name.endswith("/")


def _hub_commit(name: str, revision: str | None) -> str:
    """The commit that a hub id and revision stand for now, from the hub or its local cache."""
    try:
        from huggingface_hub import HfApi, constants, errors, snapshot_download
    except ModuleNotFoundError as error:
        raise InputError(
            f"model `{name}` is on the Hugging Face Hub, and huggingface_hub is not installed. "
            'Install an engine: pip install "prefmill[transformers]"'
        ) from error
    if not constants.is_offline_mode():
        try:
            return str(HfApi().model_info(name, revision=revision).sha)
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
            raise InputError(
                f"the Hugging Face Hub does not give model `{name}` (revision "
                f"{revision or 'default'}): {error}. Check the name, or log in if it is gated."
            ) from error
        except Exception:  # unreachable in one of many ways: the local cache may know the model
            pass
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True)).name
    except (OSError, ValueError) as error:  # the hub's own errors derive from these
        raise InputError(
            f"model `{name}` (revision {revision or 'default'}) is not in the local cache of the "
            "Hugging Face Hub, and the hub cannot be reached. Without a network give a local "
            f"folder or one of: {', '.join(ALIASES)}."
        ) from error


def folder_digest(folder: Path) -> str:
    """Digest of the files that decide what a model says: weights, configuration, tokenizer.

    Of a model with `modules.json`, those of its further modules, too.
    """
    found = list(folder.iterdir())
    if folder / "modules.json" in found:
        found += folder.glob("*/*")
    files = sorted(path for path in found if path.suffix in _SEMANTIC_FILES)
    if not files:
        raise InputError(f"{folder} holds no model: no configuration and no weights in it.")
    names = (path.relative_to(folder).as_posix() for path in files)
    pairs = zip(names, map(remembered_digest, files), strict=True)
    return digest(*(part for pair in pairs for part in pair))
