"""Batches as a runner feeds them to a source: one row per record."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from schemas.arrow import arrow_schema
from schemas.batch import Batch, Row
from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD, ROW_ID
from schemas.stage import Stage, StageConfig
from tests.support import FakeContext

Json = dict[str, Any]


def load(stage: Stage[Any], config: StageConfig, *records: Any) -> Batch:
    """What a source named `given` makes of records; a text stands for a line as it is."""
    rows = [
        {
            "row_id": f"{i}",
            "raw_record": record if isinstance(record, str) else json.dumps(record),
            "raw_place": f"a.jsonl:{i}",
            "raw_problem": "bad_record: no JSON" if isinstance(record, str) else None,
        }
        for i, record in enumerate(records, 1)
    ]
    schema = arrow_schema((ROW_ID, RAW_RECORD, RAW_PLACE, RAW_PROBLEM))
    assert stage.run is not None
    batch = Batch(pa.Table.from_pylist(rows, schema=schema))
    return stage.run(batch, config, FakeContext(stage="given"))


def turns(*pairs: tuple[str, str]) -> list[Json]:
    return [{"role": role, "content": content} for role, content in pairs]


def as_pairs(row: Row, name: str = "messages") -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in row[name]]
