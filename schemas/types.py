"""A small description of column types that needs no pyarrow.

`prefmill check` compares what a stage reads with what was written before it, and must not pay
for importing Arrow. `schemas.arrow` turns these into Arrow types where rows really flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ScalarName = Literal["string", "int64", "float64", "bool", "any"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A plain value."""

    name: ScalarName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Field:
    """A named member of a struct. Only a nullable field may hold null."""

    name: str
    type: Type
    doc: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Struct:
    """A record of named fields."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{field.name}: {field.type}" for field in self.fields) + "}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of values of one type; never null itself."""

    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


Type = Scalar | Struct | ListOf

STRING = Scalar("string")
INT = Scalar("int64")
FLOAT = Scalar("float64")
BOOL = Scalar("bool")
ANY = Scalar("any")
"""Of a column that is read whatever its type is; nothing is written as it."""
