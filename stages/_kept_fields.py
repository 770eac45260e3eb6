"""Fields of a user's records that become columns: for stages that select by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import AfterValidator, Field

from schemas.batch import Row
from schemas.columns import Column
from schemas.selection import EMBEDDING, named_column
from schemas.types import ANY, BOOL, FLOAT, STRING, Scalar
from stages._records import BadRecord, value_of

Kind = Literal["number", "text", "boolean"]

_TYPES: dict[Kind, Scalar] = {"number": FLOAT, "text": STRING, "boolean": BOOL}


def _are_free(keep: Mapping[str, Kind]) -> Mapping[str, Kind]:
    for name in keep:
        if not name or named_column(name).type is not ANY:
            raise ValueError(f"`{name}` cannot be kept: it is the name of a column of prefmill's")
    return keep


Keep = Annotated[
    dict[str, Kind],
    Field(
        description="Further fields to keep as columns of the same name, each a `number`, `text` "
        "or `boolean`, or null: for stages that select by them.",
    ),
    AfterValidator(_are_free),
]
"""Type of a setting that says which fields of a record become columns."""


def kept_columns(keep: Mapping[str, Kind], embedding: str | None) -> tuple[Column, ...]:
    """The columns that the fields become."""
    named = [
        Column(name, _TYPES[kind], "a field of the input", nullable=True)
        for name, kind in keep.items()
    ]
    return (*named, *((EMBEDDING,) if embedding else ()))


def kept_values(record: Row, keep: Mapping[str, Kind], embedding: str | None) -> Row:
    """What the record has in them, by column."""
    values = {name: _value(record, name, kind) for name, kind in keep.items()}
    return values | ({EMBEDDING.name: _vector(record, embedding)} if embedding else {})


def _value(record: Row, name: str, kind: Kind) -> Any:
    if name in record and record[name] is None:
        return None
    value = value_of(record, name)
    if kind == "number" and is_number(value):
        return float(value)
    if isinstance(value, str if kind == "text" else bool) and kind != "number":
        return value
    raise BadRecord("bad_field", f"field `{name}` holds {value!r:.60}, which is no {kind}")


def _vector(record: Row, name: str) -> list[float]:
    value = value_of(record, name)
    if isinstance(value, list) and value and all(map(is_number, value)):
        return [float(number) for number in value]
    raise BadRecord("bad_field", f"field `{name}` holds {value!r:.60}, which is no list of numbers")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number that a float can hold."""
    try:
        is_real = isinstance(value, int | float) and not isinstance(value, bool)
        return is_real and math.isfinite(value)
    except OverflowError:
        return False
