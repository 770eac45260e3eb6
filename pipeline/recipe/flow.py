"""Which columns stand where, and whether each stage finds what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.columns import LINEAGE, ROW_ID, Column
from schemas.stage import Stage
from schemas.types import ANY, ListOf, Scalar, Type

Shape = tuple[Any, ...]


def column_shape(column: Column) -> Shape:
    """Name, type and nullability, at every depth: what must agree between writer and reader."""
    return (column.name, column.nullable, _type_shape(column.type))


def _type_shape(kind: Type) -> Shape:
    if isinstance(kind, Scalar):
        return (kind.name,)
    if isinstance(kind, ListOf):
        return ("list", _type_shape(kind.item))
    return ("struct", *((f.name, f.nullable, _type_shape(f.type)) for f in kind.fields))


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns after some step.

    Attributes:
        present: by name.
        dropped: columns that are gone, with the step that dropped them.
        certain: false after a step that could not be resolved: it may have made anything.
    """

    present: Mapping[str, Column] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    certain: bool = True

    def after(self, stage: Stage[Any], step: str) -> Columns:
        """The columns once `stage`, called `step` in the recipe, has run."""
        made = [ROW_ID, LINEAGE, *stage.writes, *stage.extends]
        gone = {column.name for column in stage.drops}
        before = {} if stage.effect == "source" else self.present
        present = {name: column for name, column in before.items() if name not in gone}
        present |= {column.name: column for column in made}
        dropped = {**self.dropped, **{name: step for name in gone if name in before}}
        return Columns(
            present, {n: s for n, s in dropped.items() if n not in present}, self.certain
        )

    def after_unknown(self) -> Columns:
        """The columns once a step that could not be resolved has run."""
        return Columns(self.present, self.dropped, certain=False)

    def missing(self, stage: Stage[Any]) -> list[Column]:
        """What `stage` reads and does not find."""
        if not self.certain:
            return []
        return [column for column in stage.reads if column.name not in self.present]

    def clashes(self, stage: Stage[Any]) -> list[tuple[Column, Column]]:
        """What `stage` finds under the right name but with another type: (found, wanted)."""
        wanted = (c for c in (*stage.reads, *stage.extends, *stage.optional) if c.type != ANY)
        pairs = [(self.present[c.name], c) for c in wanted if c.name in self.present]
        return [(found, c) for found, c in pairs if not _suits(found, c)]


def _suits(found: Column, wanted: Column) -> bool:
    """Whether a column is what a reader wants. One who allows null can do without any."""
    if wanted.nullable and not found.nullable:
        wanted = replace(wanted, nullable=False)
    return column_shape(found) == column_shape(wanted)


def writers_of(column: Column, stages: Iterable[Stage[Any]]) -> list[str]:
    """Names of the stages that could provide a column, themselves not needing it."""
    return [
        stage.name
        for stage in stages
        if any(made.name == column.name for made in (*stage.writes, *stage.extends))
        and all(read.name != column.name for read in stage.reads)
    ]
