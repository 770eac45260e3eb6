from __future__ import annotations

import pytest

from schemas.batch import Row
from schemas.errors import ExportRefused
from stages.export_sppo import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for, pair_row
from tests.support import FakeContext

WINS = {"p_chosen_wins": 0.7, "p_rejected_wins": 0.2}


def test_whole_conversations_and_the_trainers_names() -> None:
    batch = batch_for(STAGE, [pair_row("r", "Light.", "Magic.", **WINS)])
    (row,) = run(batch, Config(), FakeContext()).rows
    assert row["chosen"] == [*QUESTION, {"role": "assistant", "content": "Light."}]
    assert row["rejected"] == [*QUESTION, {"role": "assistant", "content": "Magic."}]
    probs = row["chosen_probs"], row["chosen_probs_win"], row["chosen_probs_lose"]
    assert probs == (0.8, 0.7, 0.2)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (pair_row("r", "a", "a ", **WINS), "same text"),
        (pair_row("r", "a", "b", **WINS | {"p_chosen_wins": None}), "`p_chosen_wins` not known"),
        (pair_row("r", "a", "b", p_chosen=None, **WINS), "`p_chosen` not known"),
    ],
)
def test_what_would_train_nothing_is_refused(row: Row, fault: str) -> None:
    with pytest.raises(ExportRefused, match=fault):
        run(batch_for(STAGE, [row]), Config(), FakeContext())
