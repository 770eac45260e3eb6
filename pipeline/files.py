"""Writing files so that a reader sees all of them or nothing, and where caches are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_atomic(path: Path, write: Callable[[IO[bytes]], None], *, durable: bool = True) -> None:
    """Write `path` by way of a temporary file beside it, flushed to disk and renamed.

    Whoever opens `path` finds the old content or the whole new one, also after a crash; without
    `durable` not after one of the machine, but sooner: disks are slow to say that they are done.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(0o644)  # mkstemp makes private files; a dataset is for sharing
        Path(name).replace(path)
    except BaseException:  # also on Ctrl-C: no half-written file stays behind
        Path(name).unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def meant_for(name: str) -> str | None:
    """The name that a temporary file of `write_atomic` was to get; None if it is no such file."""
    found = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}\.tmp", name)
    return found and found[1]


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and programs, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    write_atomic(path, lambda file: _write_text(file, text))


def _write_text(file: IO[bytes], text: str) -> None:
    file.write(text.encode("utf-8", "backslashreplace"))


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if the file is missing or not whole."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def file_digest(path: Path) -> str:
    """BLAKE2b of a file's bytes, 32 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def cache_folder() -> Path:
    """`$PREFMILL_CACHE`, else `prefmill` in the platform's cache folder. Not necessarily there."""
    if chosen := os.environ.get("PREFMILL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "prefmill"
