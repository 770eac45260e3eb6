"""The rows that a report can be browsed through: a seeded sample, so small that a page holds it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.browse.records import record_of
from pipeline.report.facts import Facts
from pipeline.report.judges import Judgements, judgements_of
from pipeline.report.rows import RowSet
from pipeline.report.text import cut
from schemas.columns import CHOSEN, MESSAGES, REJECTED
from schemas.layouts import PROMPT

SEED = 7
ROWS = 240
"""At most, of all configs together."""
_BYTES = 1_500_000
"""At most, of the records as JSON."""
_CHARACTERS = 5_000
"""Of one text; what is beyond is counted, not shown."""
Row = dict[str, Any]


def sampled_records(facts: Facts, sets: list[RowSet]) -> list[dict[str, Any]]:
    """Records for the browser, with what the judges said of the pairs among them."""
    drawn = [(rows, split, row) for rows in sets for split, row in _drawn(rows, ROWS // len(sets))]
    pairs = [row for rows, _, row in drawn if rows.kind == "pair"]
    said = judgements_of(facts.out, pairs) if pairs else {}
    places = list(range(len(drawn)))
    random.Random(SEED).shuffle(places)
    kept: dict[int, dict[str, Any]] = {}
    size = 0
    for place in places:
        record = _record(*drawn[place], said)
        size += len(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace"))
        if size > _BYTES:
            break
        kept[place] = record
    return [kept[place] for place in sorted(kept)]


def _drawn(rows: RowSet, count: int) -> Iterator[tuple[str, Row]]:
    """Some rows with their splits, in their order."""
    wanted = sorted(random.Random(SEED).sample(range(rows.rows), min(count, rows.rows)))
    start = 0
    for split in rows.splits:
        for table in rows.read(split, None):
            here = [place - start for place in wanted if start <= place < start + len(table)]
            start += len(table)
            if here:
                for row in table.take(here).to_pylist():
                    yield split, row


def _record(rows: RowSet, split: str, row: Row, said: Mapping[str, Judgements]) -> dict[str, Any]:
    record = record_of(_shortened(_as_exported(row)), rows.name, split)
    if found := said.get(row["row_id"]):
        record["judgements"] = [
            {**one, "words": cut(str(one["words"]), _CHARACTERS)} for one in found
        ]
    return record


def _as_exported(row: Row) -> Row:
    """A pair in the work of a run as it will stand in the dataset."""
    if MESSAGES.name not in row:
        return row
    answers = {
        name: [{"role": "assistant", "content": row[name]}] for name in (CHOSEN.name, REJECTED.name)
    }
    return {**row, PROMPT.name: row[MESSAGES.name], **answers}


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, _CHARACTERS)
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    return value
