"""Digests of large files, remembered in the user's cache folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pipeline.files import cache_folder, file_digest, read_json, write_json
from schemas.ids import digest

_LARGE_BYTES = 4 * 2**20


def remembered_digest(path: Path) -> str:
    """BLAKE2b of a file's bytes; a large file's is remembered while its size and time stay."""
    status = path.stat()
    if status.st_size < _LARGE_BYTES:
        return file_digest(path)
    seen = digest(str(path.resolve()), status.st_size, status.st_mtime_ns)
    memory = cache_folder() / "digests" / f"{seen}.json"
    remembered = read_json(memory)
    if remembered is not None:
        return str(remembered["digest"])
    found = file_digest(path)
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, {"path": os.fspath(path), "digest": found})
    return found
