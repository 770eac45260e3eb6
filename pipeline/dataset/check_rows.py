"""What must hold of the rows of a dataset: ids, prompts by split, answers, nulls."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pipeline.dataset.read import DatasetFolder
from pipeline.dataset.splits import prompts_of, split_text
from schemas.arrow import check_no_nulls
from schemas.columns import ROW_ID
from schemas.errors import ContractError, Problem
from schemas.layouts import (
    CHOSEN_TURN,
    COMPLETION,
    COMPLETIONS,
    LABEL,
    PROMPT,
    REJECTED_TURN,
    same_text,
)

if TYPE_CHECKING:
    import pyarrow as pa

_NEVER_NULL = frozenset(
    column.name
    for column in (ROW_ID, PROMPT, CHOSEN_TURN, REJECTED_TURN, COMPLETION, COMPLETIONS, LABEL)
)
_PAIR = (CHOSEN_TURN.name, REJECTED_TURN.name)
_MADE_AGAIN = "the files were changed, or made by something else: run the recipe again"
_LEAK = "move all rows of a prompt into one split, or run the recipe again with its `splits`"


@dataclass(slots=True)
class _Prompts:
    """Prompts met so far, 8 bytes each, by split."""

    splits: dict[str, array[int]] = field(default_factory=dict)

    def add(self, split: str, keys: Sequence[int]) -> None:
        self.splits.setdefault(split, array("Q")).extend(keys)

    def shared(self) -> Iterator[tuple[str, str, int]]:
        """Pairs of splits with prompts in common, and how many."""
        import numpy as np

        names = list(self.splits)
        for at, first in enumerate(names):
            for second in names[at + 1 :]:
                both = np.intersect1d(self.splits[first], self.splits[second])
                if len(both):
                    yield first, second, len(both)


def row_problems(
    dataset: DatasetFolder, readable: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    """What is wrong with the rows of the splits that can be read, by config."""
    prompts = _Prompts()
    splits = {split for names in readable.values() for split in names}
    for config, names in readable.items():
        ids = array("Q")
        for split in names:
            faults = _Faults()
            for table in dataset.tables(config, split):
                ids.extend(_keys(table.column(ROW_ID.name).to_pylist()))
                faults.look(table)
                if len(splits) > 1:
                    prompts.add(split, _keys(map(split_text, prompts_of(table) or ())))
            yield from faults.problems(f"{dataset.path / config}", split)
        yield from _repeated(dataset, config, ids)
    for first, second, n in prompts.shared():
        seen = f"{n:,} prompts are in `{first}` and in `{second}`"
        yield Problem("", seen, "no prompt in two splits", _LEAK, str(dataset.path))


@dataclass(slots=True)
class _Faults:
    """What is wrong with the rows of one split: how often, and the first of each."""

    equal: int = 0
    first_equal: str = ""
    nulls: str = ""

    def look(self, table: pa.Table) -> None:
        self.nulls = self.nulls or _nulls(table)
        if not self.nulls and set(_PAIR) <= set(table.column_names):
            for row in table.select([ROW_ID.name, *_PAIR]).to_pylist():
                if _is_equal(*(row[name] for name in _PAIR)):
                    self.first_equal = self.first_equal or row[ROW_ID.name]
                    self.equal += 1

    def problems(self, folder: str, split: str) -> Iterator[Problem]:
        if self.nulls:
            yield Problem(split, self.nulls, "no nulls there", _MADE_AGAIN, folder)
        if self.equal:
            seen = f"chosen is rejected in {self.equal:,} rows, first in row {self.first_equal}"
            yield Problem(split, seen, "two answers that differ", _MADE_AGAIN, folder)


def _nulls(table: pa.Table) -> str:
    """Where a null stands that may not; empty if nowhere."""
    gone = [name for name in table.column_names if name in _NEVER_NULL]
    for name in gone:
        if table.column(name).null_count:
            return f"column `{name}` holds {table.column(name).null_count} nulls"
    try:
        check_no_nulls(table, "the split")
    except ContractError as error:
        return str(error)
    return ""


def _is_equal(chosen: Any, rejected: Any) -> bool:
    """Whether two answers, or conversations that end on them, say the same."""
    if not (chosen and rejected) or chosen[:-1] != rejected[:-1]:
        return bool(chosen == rejected)
    return same_text(chosen[-1]["content"], rejected[-1]["content"])


def _keys(texts: Iterator[str] | Sequence[str | None]) -> list[int]:
    """64 bits of each text's hash: two in a million rows agree once in 37 million datasets."""
    return [
        int.from_bytes(blake2b(str(text).encode("utf-8", "surrogatepass"), digest_size=8).digest())
        for text in texts
    ]


def _repeated(dataset: DatasetFolder, config: str, ids: array[int]) -> Iterator[Problem]:
    import numpy as np

    ordered = np.sort(np.frombuffer(ids, np.uint64)) if ids else np.empty(0, np.uint64)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated):
        known = set(repeated.tolist())
        rows = (
            row_id
            for table in dataset.tables(config, columns=[ROW_ID.name])
            for row_id in table.column(0).to_pylist()
        )
        first = next(row_id for row_id in rows if _keys([row_id])[0] in known)
        seen = f"{len(repeated):,} row_ids stand in more than one row, the first is {first}"
        yield Problem(config, seen, "each row_id once", _MADE_AGAIN, str(dataset.path / config))
