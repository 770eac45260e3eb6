"""Files of one JSON object a line, that grow."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any


class EventLog:
    """Appends records to a file, or to standard output where there is no path.

    What cannot be written, as on a full disk, is warned of once and left out: a run is worth more
    than its log.
    """

    def __init__(self, path: Path | None, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._file: FileIO | None = None
        self._torn = False
        self._warned = False
        self._lock = threading.Lock()  # workers' warnings come from threads of their own

    def open(self) -> None:
        """Open the file, which `write` would do at its first record; raises OSError."""
        if self._path is None or self._file is not None:
            return
        # Unbuffered: a buffer that cannot be written would raise again when it is closed.
        self._file = FileIO(self._path, "a")
        self._torn = _is_torn(self._path)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record."""
        line = json.dumps(record) + "\n"
        with self._lock:
            try:
                self.open()
                self._append(line)
            except OSError as error:
                self._refused(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, line: str) -> None:
        if self._file is None:
            sys.stdout.write(line)
            sys.stdout.flush()
            return
        # After half a line, however it came about, a new one keeps this record whole.
        data = ("\n" * self._torn + line).encode()
        self._torn = True
        self._torn = self._file.write(data) < len(data)

    def _refused(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            place = self._path or "standard output"
            self._warn(f"events cannot be written to {place}: {error.strerror}; the run goes on")


def _is_torn(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log; torn lines, and a log that is missing, hold none."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a run or a disk ended in the middle of it
        if isinstance(record, dict):
            records.append(record)
    return records
