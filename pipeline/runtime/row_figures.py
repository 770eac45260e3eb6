"""Figures of a dataset config's rows, in one pass over them.

Kept are numbers, not texts: eight bytes for each text, score and length of a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.columns import ROW_ID, SCORE_CHOSEN, SCORE_REJECTED, Column
from schemas.figures import (
    CHARACTERS,
    DESIRABLE,
    DUPLICATES,
    LONGER_PREFERRED,
    MEAN,
    MEDIAN,
    NEW_ROWS,
    PROMPTS,
    TIES,
    WORDS,
    is_number,
    is_text,
)
from schemas.layouts import CHOSEN_TURN, LABEL, PROMPT, REJECTED_TURN

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Seen:
    """What is kept of the rows: chunks of numbers by name, and hashes of their texts."""

    rows: int = 0
    numbers: dict[str, list[Floats]] = field(default_factory=dict)
    prompts: list[NDArray[np.int64]] = field(default_factory=list)
    texts: list[NDArray[np.int64]] = field(default_factory=list)

    def keep(self, name: str, values: Floats) -> None:
        """Keep a chunk of numbers."""
        self.numbers.setdefault(name, []).append(values)

    def all(self, name: str) -> Floats:
        """All numbers of a name, NaN where a row has none."""
        import numpy as np

        return np.concatenate(self.numbers.get(name) or [np.empty(0)])


def measure_rows(
    columns: Sequence[Column], tables: Iterable[pa.Table], known: pa.Array
) -> tuple[int, dict[str, float]]:
    """Count and measure the rows of a config, without those of the last release.

    Args:
        columns: what the config's rows have; what is not among them is not measured.
        tables: the rows, part by part.
        known: row_ids of the last release.

    Returns:
        How many rows are new, and the figures that can be had of them, without the config's name.
    """
    import pyarrow.compute as pc

    seen = _Seen()
    for table in tables:
        new = table
        if len(known):
            new = table.filter(pc.invert(pc.is_in(table.column(ROW_ID.name), known)))
        seen.rows += new.num_rows
        if new.num_rows:
            _look(seen, columns, new)
    found = dict(_figures(seen, columns)) if seen.rows else {}
    finite = {name: value for name, value in found.items() if math.isfinite(value)}
    return seen.rows, {NEW_ROWS: seen.rows, **finite}


def _look(seen: _Seen, columns: Sequence[Column], table: pa.Table) -> None:
    import numpy as np

    hashes = []
    for column in columns:
        if is_number(column) or column == LABEL:
            seen.keep(column.name, _numbers(table, column))
        elif is_text(column):
            texts, rows = _texts(table, column)
            measures = {
                CHARACTERS: [len(text) for text in texts],
                WORDS: [len(text.split()) for text in texts],
            }
            for unit, lengths in measures.items():
                whole = np.bincount(rows, lengths, table.num_rows).astype(np.float64)
                seen.keep(f"{column.name}.{unit}", whole)
            hashes.append(_hashes(texts, rows.tolist(), table.num_rows))
            if column == PROMPT:
                seen.prompts.append(hashes[-1])
    if hashes:
        together = zip(*(each.tolist() for each in hashes), strict=True)
        seen.texts.append(np.array([hash(one) for one in together], dtype=np.int64))


def _numbers(table: pa.Table, column: Column) -> Floats:
    """All numbers in a column, also those in lists, as floats; NaN for null."""
    import pyarrow as pa

    values = table.column(column.name).combine_chunks()
    while pa.types.is_list(values.type):
        values = values.flatten()
    floats: Floats = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return floats


def _texts(table: pa.Table, column: Column) -> tuple[list[str], NDArray[np.int64]]:
    """The texts in a column, and the row that each is in; turns of a conversation one by one."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(column.name).combine_chunks()
    rows = np.arange(len(values))
    if pa.types.is_list(values.type):
        rows = pc.list_parent_indices(values).to_numpy()
        values = values.flatten()
    texts = pc.struct_field(values, "content") if pa.types.is_struct(values.type) else values
    return texts.to_pylist(), rows


def _hashes(texts: Iterable[str], rows: Iterable[int], n: int) -> NDArray[np.int64]:
    """A hash of all texts of each row; Python's own, which is fast and lasts for this process."""
    import numpy as np

    found = [0] * n
    for row, text in zip(rows, texts, strict=True):
        found[row] = hash((found[row], text))
    return np.array(found, dtype=np.int64)


def _figures(seen: _Seen, columns: Sequence[Column]) -> Iterator[tuple[str, float]]:
    import numpy as np

    for name in seen.numbers:
        values = _known(seen.all(name))
        if name == LABEL.name:
            yield DESIRABLE, float(values.mean())
        elif len(values):
            yield f"{name}.{MEAN}", float(values.mean())
            yield f"{name}.{MEDIAN}", float(np.median(values))
    if seen.texts:
        yield DUPLICATES, 1 - _different(seen.texts) / seen.rows
    if seen.prompts:
        yield PROMPTS, _different(seen.prompts)
    yield from _of_pairs(seen, {column.name for column in columns})


def _of_pairs(seen: _Seen, names: set[str]) -> Iterator[tuple[str, float]]:
    if {CHOSEN_TURN.name, REJECTED_TURN.name} <= names:
        chosen, rejected = (
            seen.all(f"{turn.name}.{CHARACTERS}") for turn in (CHOSEN_TURN, REJECTED_TURN)
        )
        uneven = chosen != rejected
        if uneven.any():
            yield LONGER_PREFERRED, float((chosen > rejected)[uneven].mean())
    if {SCORE_CHOSEN.name, SCORE_REJECTED.name} <= names:
        margins = _known(seen.all(SCORE_CHOSEN.name) - seen.all(SCORE_REJECTED.name))
        if len(margins):
            yield TIES, float((margins == 0).mean())


def _known(values: Floats) -> Floats:
    import numpy as np

    known: Floats = values[~np.isnan(values)]
    return known


def _different(hashes: Sequence[NDArray[np.int64]]) -> int:
    import numpy as np

    return len(np.unique(np.concatenate(hashes)))
