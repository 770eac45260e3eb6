"""What every reader yields, and the errors that they share."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from schemas.errors import InputError


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an input file, or what stands where a record should be.

    Attributes:
        place: file and line or row number, 1-based, e.g. `data/a.jsonl:12`.
        fields: its values by name; empty when `problem` is set.
        problem: why it could not be read; None if it could.
        raw: the text that could not be read.
    """

    place: str
    fields: dict[str, Any]
    problem: str | None = None
    raw: str = ""


_EXCERPT = 80
"""Characters of a bad record that a message shows."""


def excerpt(text: str) -> str:
    """The start of a text, quoted, for a message."""
    return repr(text if len(text) <= _EXCERPT else text[:_EXCERPT] + "...")


def from_json(place: str, value: Any, text: str) -> Record:
    """The record that a JSON value is, if it is an object; `text` is its source."""
    if isinstance(value, dict):
        return Record(place, value)
    problem = f"bad_record: a {type(value).__name__} instead of an object: {excerpt(text)}"
    return Record(place, {}, problem, text)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what libraries raise on a file that cannot be read into InputError."""
    import pyarrow as pa

    try:
        yield
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise InputError(
            f"{name}: cannot be read: {error}. Is the file whole, and of the format that its "
            "ending or `format` says?"
        ) from error


def check_fields(name: str, wanted: Sequence[str], available: Iterable[str]) -> None:
    """Raise InputError if a wanted field is not among those that a file has."""
    names = sorted(set(available))
    for field in wanted:
        if field not in names:
            near = difflib.get_close_matches(field, names, n=1)
            advice = f" Did you mean `{near[0]}`?" if near else ""
            raise InputError(f"{name}: no field `{field}`; it has {_listed(names)}.{advice}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) if names else "no fields"


def check_fields_met(
    name: str, records: Iterable[Record], wanted: Sequence[str]
) -> Iterator[Record]:
    """Pass records on; after the last one, raise InputError if no record had a wanted field.

    For formats without a header, where one record may lack what the next one has.
    """
    met: set[str] = set()
    for record in records:
        met.update(record.fields)
        yield record
    if met:
        check_fields(name, wanted, met)
