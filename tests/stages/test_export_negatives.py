from __future__ import annotations

from typing import Any

import pytest

from schemas.batch import Row
from schemas.errors import ExportRefused
from stages.export_negatives import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for, pair_row
from tests.support import FakeContext


def row(rejected: str | None, *samples: str, **changed: Any) -> Row:
    listed = [
        {"response_id": f"{i}", "text": text, "model": "policy:a"} for i, text in enumerate(samples)
    ]
    return pair_row("r", "unused", rejected, self_samples=listed, **changed)


def test_there_is_a_rejected_answer_and_no_chosen_one() -> None:
    batch = batch_for(STAGE, [row("Magic.", "Light.", "Air.")])
    (written,) = run(batch, Config(), FakeContext()).rows
    assert written["prompt"] == QUESTION
    assert written["rejected"] == [{"role": "assistant", "content": "Magic."}]
    assert written["self_samples"] == [
        [{"role": "assistant", "content": "Light."}],
        [{"role": "assistant", "content": "Air."}],
    ]
    assert "chosen" not in written


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (row(None, "Light."), "null"),
        (row(" ", "Light."), "empty"),
        (row("Magic."), "no samples"),
        (row("Magic.", "Light.", ""), "empty"),
        (row("Magic.", "Magic. "), "same text"),
        (row("Magic.", "Light.", messages=[]), "no messages"),
    ],
)
def test_what_would_train_nothing_is_refused(one: Row, fault: str) -> None:
    with pytest.raises(ExportRefused, match=f"row r: .*{fault}"):
        run(batch_for(STAGE, [one]), Config(), FakeContext())
