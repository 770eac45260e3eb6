from __future__ import annotations

import pytest

from schemas.batch import Row
from schemas.errors import ExportRefused
from stages.export_ranking import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for
from tests.support import FakeContext


def row(*answers: tuple[str, float]) -> Row:
    return {
        "row_id": "r",
        "messages": QUESTION,
        "ranking": [
            {"response_id": f"{i}", "text": text, "model": "policy:a", "score": score}
            for i, (text, score) in enumerate(answers)
        ],
        "labeller": "judge",
        "source": "test",
        "lineage": [],
    }


def test_lists_side_by_side() -> None:
    result = run(batch_for(STAGE, [row(("good", 2.0), ("bad", 1.0))]), Config(), FakeContext())
    assert result.rows == [
        {
            "row_id": "r",
            "prompt": QUESTION,
            "completions": ["good", "bad"],
            "scores": [2.0, 1.0],
            "response_ids": ["0", "1"],
            "models": ["policy:a", "policy:a"],
            "labeller": "judge",
            "source": "test",
            "lineage": [],
        }
    ]


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (row(("good", 2.0)), "1 answers"),
        (row(("good", 2.0), (" ", 1.0)), "empty"),
        (row(("good", 2.0), ("good ", 1.0)), "same text"),
        (row(("bad", 1.0), ("good", 2.0)), "not in the order"),
        (row(("one", 1.0), ("other", 1.0)), "are equal"),
        ({**row(("good", 2.0), ("bad", 1.0)), "messages": []}, "no messages"),
    ],
)
def test_what_would_train_nothing_is_refused(one: Row, fault: str) -> None:
    with pytest.raises(ExportRefused, match=f"row r: .*{fault}"):
        run(batch_for(STAGE, [one]), Config(), FakeContext())
