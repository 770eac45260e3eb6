"""The rows that a report shows figures of: a config of the dataset, or the work of a run so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from pipeline.dataset.read import DatasetFolder
from pipeline.report.facts import Facts
from pipeline.runtime.labelled import columns_of, tables_of
from pipeline.runtime.status import StepStatus
from schemas.columns import CHOSEN, MESSAGES, REJECTED
from schemas.layouts import COMPLETION, COMPLETIONS, LABEL, PROMPT, TEXT

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["pair", "answer", "ranking", "text"]
_SIGNS: dict[Kind, frozenset[str]] = {
    "pair": frozenset((CHOSEN.name, REJECTED.name)),
    "ranking": frozenset((COMPLETIONS.name,)),
    "answer": frozenset((COMPLETION.name, LABEL.name)),
    "text": frozenset((COMPLETION.name,)),
}
"""Columns by which rows are known for what they are, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows of one kind.

    Attributes:
        name: of the dataset's config, or of the step while there is no dataset.
        splits: rows by split; a step's rows are in none, so under an empty name.
        columns: their names.
        read: gives the rows of a split, some columns of them or all, table by table.
    """

    name: str
    kind: Kind
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
    order = list(_SIGNS)
    return sorted(known, key=lambda rows: order.index(rows.kind))


def kind_of(columns: frozenset[str]) -> Kind | None:
    """What rows with these columns are; None if nothing that people read."""
    for kind, signs in _SIGNS.items():
        if signs <= columns:
            return kind
    return "text" if TEXT.name in columns else None


def _of_config(dataset: DatasetFolder, config: str) -> RowSet | None:
    columns = frozenset(dataset.manifest["configs"][config]["columns"])
    kind = kind_of(columns)
    if kind is None:
        return None

    def read(split: str, names: Sequence[str] | None) -> Iterator[pa.Table]:
        return dataset.tables(config, split, names)

    return RowSet(config, kind, dataset.splits(config), columns, read)


def _of_work(facts: Facts) -> list[RowSet]:
    """The pairs of the last step that has some."""
    for line in reversed([line for line in facts.steps if not line.is_export]):
        step = facts.status_of(line)
        columns = frozenset(columns_of(step)) if step else frozenset()
        if step and _SIGNS["pair"] <= columns and line.rows_out:
            read = partial(_of_step, step)
            return [RowSet(line.name, "pair", {"": line.rows_out}, columns, read)]
    return []


def _of_step(step: StepStatus, _split: str, names: Sequence[str] | None) -> Iterator[pa.Table]:
    for table in tables_of(step):
        yield table if names is None else table.select(names)
