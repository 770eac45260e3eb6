"""Small datasets to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.dataset.card import RunFacts
from pipeline.dataset.read import DatasetFolder, open_dataset
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from schemas.arrow import arrow_schema
from schemas.columns import ROW_ID, Column
from schemas.layouts import ORDER
from schemas.recipe import Splits
from stages.export_dpo import STAGE as DPO
from stages.export_kto import STAGE as KTO

COLUMNS: dict[str, tuple[Column, ...]] = {
    "dpo": DPO.writes,
    "kto": tuple(column for column in KTO.writes if column is not ORDER),
}

Row = dict[str, Any]


def turn(role: str, text: str) -> list[Row]:
    return [{"role": role, "content": text}]


def pair(n: int, chosen: str = "yes", rejected: str = "no", **more: Any) -> Row:
    """The n-th pair, by default with scores 1 and 0."""
    return {
        "row_id": f"{n:032x}",
        "prompt": turn("user", f"question {n}"),
        "chosen": turn("assistant", chosen),
        "rejected": turn("assistant", rejected),
        "score_chosen": 1.0,
        "score_rejected": 0.0,
        "margin": 1.0,
        "p_chosen": None,
        "labeller": "judge",
        "chosen_model": "a",
        "rejected_model": "b",
        "source": "here",
        "lineage": [],
        "label_smoothing": None,
    } | more


def answer(n: int, text: str = "yes", label: bool = True, **more: Any) -> Row:
    """The n-th answer that is marked."""
    return {
        "row_id": f"{n:032x}",
        "prompt": turn("user", f"question {n}"),
        "completion": turn("assistant", text),
        "label": label,
        "score": 1.0,
        "labeller": "judge",
        "response_id": str(n),
        "model": "a",
        "source": "here",
        "lineage": [],
    } | more


def dataset(
    out: Path,
    splits: Splits | None = None,
    columns: Mapping[str, Sequence[Column]] = COLUMNS,
    figures: Mapping[str, float] | None = None,
    **configs: Sequence[Row],
) -> DatasetFolder:
    """A dataset with these rows by config."""
    made = {}
    for name, rows in configs.items():
        schema = arrow_schema((ROW_ID, *columns[name]))
        kept = [{field: row[field] for field in schema.names} for row in rows]
        table = pa.Table.from_pylist(kept, schema=schema)
        made[name] = ConfigRows(tuple(columns[name]), lambda table=table: [table])
    release = Release(splits or Splits(), figures or {})
    out.mkdir(parents=True, exist_ok=True)
    write_dataset(out, made, RunFacts("test", "name: test", {}), release)
    return open_dataset(out)
