"""Readers of text files: JSON lines, JSON lists, CSV and TSV, each plain or gzipped.

They stream line by line, so that a record's line number and a bad byte's offset are known.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pipeline.inputs.records.base import Record, check_fields, check_fields_met, excerpt, from_json
from pipeline.inputs.records.json_list import read_list
from schemas.errors import InputError

_BOM = "\ufeff"
_START = 1 << 10
"""Bytes looked at to tell a list from lines."""
_CSV_FIELD_CHARS = 1 << 24
"""Longest CSV field; Python's own limit of 128 Ki is less than a long document."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, gunzipping it if its name ends in `.gz`."""
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


@dataclass(slots=True)
class _Lines:
    """Decoded lines of a file.

    Bytes that are no UTF-8 come through as escapes, and `problem` says where the first of them
    stood since it was last cleared.
    """

    file: IO[bytes]
    number: int = 0
    offset: int = 0
    problem: str | None = None

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.number += 1
            yield self._decoded(line)
            self.offset += len(line)

    def _decoded(self, line: bytes) -> str:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.problem is None:
                self.problem = (
                    f"bad_record: byte 0x{line[error.start]:02x} at offset "
                    f"{self.offset + error.start} of the file (line {self.number}) is not UTF-8"
                )
            text = line.decode("utf-8", "backslashreplace")
        return text.removeprefix(_BOM) if self.number == 1 else text


def read_json_lines(path: Path, name: str, fields: Sequence[str]) -> Iterator[Record]:
    """One JSON object a line; blank lines are passed over."""
    with open_bytes(path) as file:
        yield from check_fields_met(name, _json_lines(file, name), fields)


def _json_lines(file: IO[bytes], name: str) -> Iterator[Record]:
    lines = _Lines(file)
    for line in lines:
        text, place = line.strip(), f"{name}:{lines.number}"
        if lines.problem:
            yield Record(place, {}, lines.problem, text)
            lines.problem = None
        elif text:
            yield _json_record(place, text)


def _json_record(place: str, text: str) -> Record:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"bad_record: not JSON: {error.msg} at column {error.colno} of {excerpt(text)}"
        return Record(place, {}, problem, text)
    except (ValueError, RecursionError) as error:  # a number or a nesting too large for Python
        return Record(place, {}, f"bad_record: cannot take this JSON: {error}", text)
    return from_json(place, value, text)


def read_json(path: Path, name: str, fields: Sequence[str]) -> Iterator[Record]:
    """A JSON list of objects, or JSON lines under a `.json` name, told apart by their start."""
    with open_bytes(path) as file:
        start = file.read(_START).removeprefix(_BOM.encode()).lstrip()[:1]
    if start != b"[":
        yield from read_json_lines(path, name, fields)
        return
    with open_bytes(path) as file:
        yield from check_fields_met(name, read_list(file, name), fields)


def read_csv(
    path: Path, name: str, fields: Sequence[str], delimiter: str = ","
) -> Iterator[Record]:
    """Comma- or tab-separated values under a header line; every value is text."""
    csv.field_size_limit(max(csv.field_size_limit(), _CSV_FIELD_CHARS))
    with open_bytes(path) as file:
        lines = _Lines(file)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = next(rows, [])
            _check_header(name, header, fields)
            yield from _csv_records(name, header, rows, lines)
        except csv.Error as error:
            raise InputError(
                f"{name}:{lines.number}: not CSV: {error}. A text with quotes, delimiters or line "
                'breaks must stand in double quotes, and a quote inside it is written "".'
            ) from error


def _check_header(name: str, header: list[str], fields: Sequence[str]) -> None:
    if repeated := sorted({column for column in header if header.count(column) > 1}):
        raise InputError(f"{name}:1: the header names `{repeated[0]}` more than once")
    check_fields(name, fields, header)


def _csv_records(
    name: str, header: list[str], rows: Iterator[list[str]], lines: _Lines
) -> Iterator[Record]:
    first = lines.number + 1
    for row in rows:
        place, first = f"{name}:{first}", lines.number + 1
        problem, lines.problem = lines.problem, None
        if not problem and row and len(row) != len(header):
            problem = f"bad_record: {len(row)} values under a header of {len(header)}"
        if problem:
            yield Record(place, {}, problem, json.dumps(row, ensure_ascii=False))
        elif row:
            yield Record(place, dict(zip(header, row, strict=True)))
