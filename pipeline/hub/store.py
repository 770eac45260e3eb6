"""A folder of published files: on this machine, or anywhere that fsspec knows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files import write_atomic
from pipeline.hub.contents import Source, read_source
from schemas.errors import InputError, PrefmillError

_LOCAL = "file://"
_BUCKETS = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"))
"""Without folders to make; asked for one they would make a bucket of a mistyped name."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder at a path or URL; it need not exist.

    A file is written whole or not at all here and on object stores.
    """

    url: str

    def __str__(self) -> str:
        """The address without a password in it."""
        return re.sub(r"(?<=://)[^/@]*@", "", self.url)

    @property
    def path(self) -> Path | None:
        """The folder, if it is on this machine."""
        if "://" not in self.url or self.url.startswith(_LOCAL):
            return Path(self.url.removeprefix(_LOCAL))
        return None

    def sizes(self) -> dict[str, int]:
        """Bytes of all files below, by path in it."""
        with self._errors():
            files, root = self._system()
            found = files.find(root, detail=True) if files.exists(root) else {}
        if root in found:
            raise InputError(f"{self} is a file; a folder is needed")
        return {name[len(root) :].lstrip("/"): int(facts["size"]) for name, facts in found.items()}

    def read(self, name: str) -> bytes:
        """A small file. Raises InputError also if it is not there."""
        with self._errors():
            files, root = self._system()
            return bytes(files.cat_file(f"{root}/{name}"))

    def get(self, name: str, target: Path) -> None:
        """Copy a file to this machine."""
        with self._errors():
            files, root = self._system()
            files.get_file(f"{root}/{name}", str(target))

    def put(self, name: str, source: Source) -> None:
        """Write a file."""
        with self._errors():
            if self.path is not None:
                _put_here(self.path / name, source)
                return
            files, root = self._system()
            if not _has_buckets(files):
                files.makedirs(f"{root}/{name}".rsplit("/", 1)[0], exist_ok=True)
            if isinstance(source, bytes):
                files.pipe_file(f"{root}/{name}", source)
            else:
                files.put_file(str(source), f"{root}/{name}")

    def delete(self, name: str) -> None:
        """Delete a file."""
        with self._errors():
            files, root = self._system()
            files.rm_file(f"{root}/{name}")

    def _system(self) -> tuple[Any, str]:
        import fsspec

        # Others may write there too, so a remembered listing would be wrong.
        files, path = fsspec.url_to_fs(self.url, use_listings_cache=False)
        return files, str(path).rstrip("/")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What a file system raises, each kind its own, as InputError."""
        try:
            yield
        except PrefmillError:
            raise
        except ImportError as error:
            raise InputError(f"{self}: {error}. Install the package that it names.") from None
        except FileNotFoundError as error:
            raise InputError(f"{self}: not there: {error}") from None
        except Exception as error:  # every kind of file system has errors of its own
            raise InputError(
                f"{self} cannot be used: {type(error).__name__}: {error}. Check the address and "
                "the credentials that its package reads; the same command tries again."
            ) from None


def _has_buckets(files: Any) -> bool:
    names = (files.protocol,) if isinstance(files.protocol, str) else files.protocol
    return not _BUCKETS.isdisjoint(names)


def _put_here(target: Path, source: Source) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        write_atomic(target, lambda file: file.writelines([read_source(source)]))
        return
    with source.open("rb") as content:
        write_atomic(target, lambda file: shutil.copyfileobj(content, file))
