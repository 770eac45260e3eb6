"""Of marks on one row the last counts; other records are as they are."""

from typing import Any

from pipeline.audit.marks import settled
from pipeline.inputs.records.base import Record


def record(row_id: str, verdict: str, **fields: Any) -> Record:
    marked = {"config": "dpo", "row_id": row_id, "verdict": verdict, "marked_at": "now"}
    return Record("a:1", {**marked, **fields})


def test_the_last_mark_of_a_row_counts() -> None:
    first, second, other = record("1", "good"), record("1", "bad"), record("2", "tie")
    assert list(settled([first, other, second])) == [other, second]
    assert list(settled([first, record("1", "none")])) == []
    elsewhere = record("1", "good", config="kto")
    assert list(settled([first, elsewhere])) == [first, elsewhere]


def test_other_records_pass() -> None:
    records = [Record("a:1", {"chosen": "x"}), Record("a:2", {}, "bad_json: no"), Record("a:1", {})]
    assert list(settled(records)) == records
