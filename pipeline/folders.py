"""Folders for work in progress: on this machine, or at any URL that fsspec knows.

Names are plain file names. A write appears whole or not at all on this machine and on object
stores; elsewhere a torn write is possible, so what is kept here must show that it is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.files import write_atomic
from schemas.errors import InputError


class Folder(Protocol):
    """A folder. Cheap to make, picklable, and need not exist before it is written to."""

    @property
    def url(self) -> str:
        """Where it is, for people."""
        ...

    def child(self, name: str) -> Folder:
        """A folder in it."""
        ...

    def exists(self) -> bool:
        """Whether there is anything in it."""
        ...

    def names(self) -> list[str]:
        """Files and folders in it, sorted; none if it does not exist."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file. Raises FileNotFoundError."""
        ...

    def read(self, name: str, start: int = 0, length: int | None = None) -> memoryview:
        """A stretch of a file, as far as there is one. Raises FileNotFoundError."""
        ...

    def write(self, name: str, pieces: Iterable[Any], *, durable: bool = True) -> None:
        """Write a file from pieces that have the buffer protocol.

        Args:
            durable: whether it is to survive a power cut; else a cut may leave part of it.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are not there are no error."""
        ...

    def clear(self) -> None:
        """Delete it with all that is in it."""
        ...


def open_folder(url: str) -> Folder:
    """The folder at a path or URL.

    Raises:
        InputError: a URL of a kind that nothing installed here can open.
    """
    if "://" not in url:
        return LocalFolder(Path(url))
    if url.startswith("file://"):
        return LocalFolder(Path(url.removeprefix("file://")))
    _filesystem(url)
    return RemoteFolder(url.rstrip("/"))


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine, or on a file system that all workers have mounted."""

    path: Path

    @property
    def url(self) -> str:
        """See `Folder`."""
        return str(self.path)

    def child(self, name: str) -> LocalFolder:
        """See `Folder`."""
        return LocalFolder(self.path / name)

    def exists(self) -> bool:
        """See `Folder`."""
        return self.path.exists()

    def names(self) -> list[str]:
        """See `Folder`."""
        return sorted(path.name for path in self.path.iterdir()) if self.path.exists() else []

    def size(self, name: str) -> int:
        """See `Folder`."""
        return (self.path / name).stat().st_size

    def read(self, name: str, start: int = 0, length: int | None = None) -> memoryview:
        """See `Folder`."""
        import pyarrow as pa

        size = self.size(name)
        if start >= size:  # nor can an empty file be mapped
            return memoryview(b"")
        with pa.memory_map(str(self.path / name)) as file:
            file.seek(start)
            rest = size - start
            return memoryview(file.read_buffer(rest if length is None else min(length, rest)))

    def write(self, name: str, pieces: Iterable[Any], *, durable: bool = True) -> None:
        """See `Folder`."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path / name, lambda file: file.writelines(pieces), durable=durable)

    def delete(self, names: Iterable[str]) -> None:
        """See `Folder`."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """See `Folder`."""
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder at a URL, by way of fsspec."""

    url: str

    def child(self, name: str) -> RemoteFolder:
        """See `Folder`."""
        return RemoteFolder(f"{self.url}/{name}")

    def exists(self) -> bool:
        """See `Folder`."""
        return bool(self.names())

    def names(self) -> list[str]:
        """See `Folder`."""
        files, path = _filesystem(self.url)
        try:
            found = files.ls(path, detail=False)
        except FileNotFoundError:
            return []
        return sorted({entry.rstrip("/").rsplit("/", 1)[-1] for entry in found})

    def size(self, name: str) -> int:
        """See `Folder`."""
        files, path = _filesystem(self.url)
        return int(files.info(f"{path}/{name}")["size"])

    def read(self, name: str, start: int = 0, length: int | None = None) -> memoryview:
        """See `Folder`."""
        files, path = _filesystem(self.url)
        end = None if length is None else start + length
        return memoryview(files.cat_file(f"{path}/{name}", start=start, end=end))

    def write(self, name: str, pieces: Iterable[Any], *, durable: bool = True) -> None:
        """See `Folder`. An object store has all of a file or nothing."""
        files, path = _filesystem(self.url)
        files.makedirs(path, exist_ok=True)
        files.pipe_file(f"{path}/{name}", b"".join(bytes(piece) for piece in pieces))

    def delete(self, names: Iterable[str]) -> None:
        """See `Folder`."""
        files, path = _filesystem(self.url)
        there = set(self.names())
        if doomed := [f"{path}/{name}" for name in names if name in there]:
            files.rm(doomed)

    def clear(self) -> None:
        """See `Folder`."""
        files, path = _filesystem(self.url)
        if self.exists():
            files.rm(path, recursive=True)


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it. fsspec keeps one object per kind and options."""
    import fsspec

    try:
        # Workers write behind each other's backs, so a remembered listing would be wrong.
        files, path = fsspec.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"placement.work: {url} cannot be opened: {error}. Install the package that it names, "
            "or use a folder that all workers have mounted."
        ) from None
    return files, str(path).rstrip("/")


def write_folder_json(folder: Folder, name: str, value: Any) -> None:
    """Write JSON for people and programs."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    folder.write(name, [text.encode("utf-8", "backslashreplace")])


def read_folder_json(folder: Folder, name: str) -> dict[str, Any] | None:
    """The object in a JSON file; None if the file is missing or not whole."""
    try:
        value = json.loads(bytes(folder.read(name)))
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None
