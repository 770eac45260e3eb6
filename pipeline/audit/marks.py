"""Marks that people made in `prefmill view --annotate`, among the records of a file of labels.

They are lines that were only ever added: of those on one row the last counts, and none if that one
withdraws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.inputs.records.base import Record

_WITHDRAWN = "none"


def settled(records: Iterable[Record]) -> Iterator[Record]:
    """The records, without the marks that a later one replaced or withdrew."""
    marks: dict[tuple[Any, Any], Record] = {}
    for record in records:
        if is_mark(record.fields):
            key = (str(record.fields["config"]), str(record.fields["row_id"]))
            marks.pop(key, None)
            marks[key] = record
        else:
            yield record
    yield from (mark for mark in marks.values() if mark.fields["verdict"] != _WITHDRAWN)


def is_mark(fields: Mapping[str, Any]) -> bool:
    """Whether a record is a mark."""
    return {"marked_at", "verdict", "config", "row_id"} <= fields.keys()
