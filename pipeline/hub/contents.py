"""What is to be published: the files of a dataset folder, checked, each with its digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.check import check_dataset
from pipeline.dataset.place import read_card
from pipeline.dataset.read import CARD, MANIFEST, DatasetFolder
from pipeline.files import file_digest
from schemas.errors import DatasetError

Source = Path | bytes
"""A file on this machine, or the bytes themselves."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A dataset about to be published.

    Attributes:
        name: of the dataset.
        release: its number.
        rows: of all configs.
        configs: their names, which are also their folders.
        files: by path in the dataset: shards, card and manifest.
        card: text of the card.
        is_card_edited: whether a person changed the card since it was written.
    """

    name: str
    release: int
    rows: int
    configs: tuple[str, ...]
    files: Mapping[str, Source]
    card: str
    is_card_edited: bool


def contents_of(dataset: DatasetFolder) -> Contents:
    """Check a dataset folder, and say what is in it.

    Raises:
        DatasetError: it is not what its manifest says.
        InputError: the card is not UTF-8.
    """
    if problems := check_dataset(dataset):
        raise DatasetError(problems)
    manifest = dataset.manifest
    card = dataset.path / CARD
    return Contents(
        name=manifest["run"]["name"],
        release=dataset.release,
        rows=sum(facts["rows"] for facts in manifest["configs"].values()),
        configs=dataset.configs,
        files={path: dataset.path / path for path in (*sorted(manifest["files"]), MANIFEST)},
        card=read_card(card),
        is_card_edited=file_digest(card) != manifest["files"][CARD]["blake2b_128"],
    )


def size_of(source: Source) -> int:
    """Bytes."""
    return source.stat().st_size if isinstance(source, Path) else len(source)


def read_source(source: Source) -> bytes:
    """All of it."""
    return source.read_bytes() if isinstance(source, Path) else source


def digest_of(source: Source, kind: str) -> str:
    """A digest as a place states it: `sha256`, `git` (the id of a blob), or `blake2b`."""
    if kind == "git":
        return hashlib.sha1(b"blob %d\0" % size_of(source) + read_source(source)).hexdigest()
    if kind == "sha256":
        return _sha256(source)
    if isinstance(source, Path):
        return file_digest(source)
    return hashlib.blake2b(source, digest_size=16).hexdigest()


def _sha256(source: Source) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
