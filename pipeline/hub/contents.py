"""What is to be published: the files of a dataset folder, checked, each with its digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.dataset.read import CARD, MANIFEST, DatasetFolder
from pipeline.files import file_digest
from schemas.errors import InputError

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
    """

    name: str
    release: int
    rows: int
    configs: tuple[str, ...]
    files: Mapping[str, Source]

    @property
    def card(self) -> str:
        """README.md of the folder."""
        return read_source(self.files[CARD]).decode("utf-8")


def contents_of(dataset: DatasetFolder) -> Contents:
    """Check a dataset folder against its manifest, and say what is in it.

    The card may differ from the manifest: people edit cards.

    Raises:
        InputError: a file is missing or was changed, or there is no row.
    """
    manifest = dataset.manifest
    for path, facts in manifest["files"].items():
        _check(dataset.path, path, facts)
    rows = sum(facts["rows"] for facts in manifest["configs"].values())
    if rows == 0:
        raise InputError(f"{dataset.path}: the dataset has no row; there is nothing to publish")
    paths = [*sorted(manifest["files"]), MANIFEST]
    return Contents(
        name=manifest["run"]["name"],
        release=dataset.release,
        rows=rows,
        configs=dataset.configs,
        files={path: dataset.path / path for path in paths},
    )


def _check(folder: Path, path: str, facts: Mapping[str, Any]) -> None:
    file = folder / path
    if not file.is_file():
        raise InputError(
            f"{folder}: {path} is missing, which its {MANIFEST} lists. Run the recipe again, which "
            "writes the dataset anew from finished work."
        )
    if path != CARD and file_digest(file) != facts["blake2b_128"]:
        raise InputError(
            f"{folder}: {path} is not as prefmill wrote it: its checksum differs from that in "
            f"{MANIFEST}. Run the recipe again, which writes the dataset anew from finished work; "
            "changes belong into the recipe."
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
