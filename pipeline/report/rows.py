"""The rows that a report shows figures of: a config of the dataset, or the work of a run so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipeline.browse.records import is_browsable, kind_of
from pipeline.dataset.read import DatasetFolder
from pipeline.report.facts import Facts
from pipeline.runtime.labelled import columns_of, tables_of
from pipeline.runtime.status import StepStatus
from schemas.columns import CHOSEN, MESSAGES, REJECTED
from schemas.layouts import PROMPT

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = ("pair", "answer", "ranking", "text")
"""The richest first."""


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows of one kind.

    Attributes:
        name: of the dataset's config, or of the step while there is no dataset.
        kind: as `pipeline.browse.records` has it.
        splits: rows by split; a step's rows are in none, so under an empty name.
        columns: their names.
        read: gives the rows of a split, some columns of them or all, table by table.
    """

    name: str
    kind: str
    splits: dict[str, int]
    columns: frozenset[str]
    read: Callable[[str, Sequence[str] | None], Iterator[pa.Table]]

    @property
    def rows(self) -> int:
        """Of all splits."""
        return sum(self.splits.values())

    @property
    def prompt(self) -> str | None:
        """The column that holds the prompt; None if there is none."""
        names = (PROMPT.name, MESSAGES.name)
        return next((name for name in names if name in self.columns), None)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of all splits."""
        for split in self.splits:
            yield from self.read(split, columns)


def row_sets(facts: Facts) -> list[RowSet]:
    """What there is to be shown, the richest kind first; none if there are no rows to look at."""
    if facts.dataset is None:
        return _of_work(facts)
    found = [_of_config(facts.dataset, config) for config in facts.dataset.configs]
    known = [rows for rows in found if rows is not None and rows.rows]
    return sorted(known, key=lambda rows: _KINDS.index(rows.kind))


def _of_config(dataset: DatasetFolder, config: str) -> RowSet | None:
    columns = frozenset(dataset.manifest["configs"][config]["columns"])
    if not is_browsable(columns):
        return None

    def read(split: str, names: Sequence[str] | None) -> Iterator[pa.Table]:
        return dataset.tables(config, split, names)

    return RowSet(config, kind_of(columns), dataset.splits(config), columns, read)


def _of_work(facts: Facts) -> list[RowSet]:
    """The pairs of the last step that has some."""
    for line in reversed([line for line in facts.steps if not line.is_export]):
        step = facts.status_of(line)
        columns = frozenset(columns_of(step)) if step else frozenset()
        if step and {CHOSEN.name, REJECTED.name} <= columns and line.rows_out:
            read = partial(_of_step, step)
            return [RowSet(line.name, "pair", {"": line.rows_out}, columns, read)]
    return []


def _of_step(step: StepStatus, _split: str, names: Sequence[str] | None) -> Iterator[pa.Table]:
    for table in tables_of(step):
        yield table if names is None else table.select(names)
