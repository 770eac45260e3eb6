"""Answers marked one by one teach nothing if all have the same mark."""

from __future__ import annotations

from collections import Counter

from pipeline.dataset.read import DatasetFolder
from pipeline.dataset.write import ConfigRows
from schemas.errors import ExportRefused
from schemas.layouts import LABEL


def refuse_one_class(config: str, rows: ConfigRows, last: DatasetFolder | None) -> None:
    """Raise ExportRefused if the rows, with those of the last release, have one label only."""
    if LABEL not in rows.columns:
        return
    counts: Counter[bool] = Counter()
    earlier = last.tables(config, columns=[LABEL.name]) if last and config in last.configs else ()
    for tables in (rows.tables(), earlier):
        for table in tables:
            counts.update(table.column(LABEL.name).to_pylist())
    if not (counts[True] and counts[False]):
        raise ExportRefused(
            f"the rows of `{config}` have {counts[True]} desirable and {counts[False]} undesirable "
            "answers; both must be there, or a trainer runs and learns nothing. Look at what the "
            "stages before rejected."
        )
