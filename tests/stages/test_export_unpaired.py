from __future__ import annotations

from typing import Any

import pytest

from schemas.batch import Batch, Row
from schemas.errors import ExportRefused
from stages.export_unpaired import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for
from tests.support import FakeContext, run_pass


def row(row_id: str, answer: str | None, label: bool, **changed: Any) -> Row:
    return {
        "row_id": row_id,
        "messages": QUESTION,
        "answer": answer,
        "label": label,
        "score": 0.5,
        "labeller": "judge",
        "response_id": f"{row_id}-a",
        "model": "policy:a",
        "source": "test",
        "lineage": [],
        "order": 3,
        **changed,
    }


def both_passes(*rows: Row) -> Batch:
    config = Config()
    draft = run(batch_for(STAGE, rows), config, FakeContext())
    (batch,), _ = run_pass(STAGE, config, [draft.table])
    return batch


def test_an_answer_becomes_a_completion() -> None:
    (good, _) = both_passes(
        row("1", "Light.", True), row("2", "Magic.", False, order=3 + 2**61)
    ).rows
    assert good == {
        "row_id": "1",
        "prompt": QUESTION,
        "completion": [{"role": "assistant", "content": "Light."}],
        "label": True,
        "score": 0.5,
        "labeller": "judge",
        "response_id": "1-a",
        "model": "policy:a",
        "source": "test",
        "lineage": [],
        "order": 3,
    }


def test_an_answer_stands_once_and_never_with_both_labels() -> None:
    result = both_passes(
        row("1", "Light.", True),
        row("2", "Light. ", True),
        row("3", "Magic.", False),
        row("4", "Air.", True),
        row("5", "Air.", False),
    )
    assert [one["row_id"] for one in result.rows] == ["1", "3"]
    assert [(r.row_id, r.code) for r in result.rejects] == [
        ("2", "duplicate"),
        ("4", "label_conflict"),
        ("5", "label_conflict"),
    ]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([row("r", " ", True)], "is empty"),
        ([row("r", "Light.", True, messages=[])], "no messages"),
    ],
)
def test_what_would_train_nothing_is_refused(rows: list[Row], fault: str) -> None:
    with pytest.raises(ExportRefused, match=fault):
        both_passes(*rows)


def test_answers_of_two_rows_with_the_same_prompt_do_not_stand_together() -> None:
    rows = both_passes(row("1", "Light.", True), row("2", "Magic.", False)).rows
    one, other = (row["order"] for row in rows)
    assert abs(one - other) == 2**61
