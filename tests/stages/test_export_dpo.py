from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import Row
from schemas.errors import ExportRefused
from schemas.layouts import is_blank, same_text
from stages.export_dpo import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for, pair_row
from tests.support import FakeContext

CONTEXT = FakeContext(stage="export_dpo")
RESERVED = {"ref_chosen_logps", "ref_rejected_logps", "tools", "images", "chat_template_kwargs"}


def test_a_pair_becomes_a_row_with_an_explicit_prompt() -> None:
    result = run(batch_for(STAGE, [pair_row("r", "Rayleigh.", "Magic.")]), Config(), CONTEXT)
    assert result.rejects == ()
    assert result.rows == [
        {
            "row_id": "r",
            "prompt": QUESTION,
            "chosen": [{"role": "assistant", "content": "Rayleigh."}],
            "rejected": [{"role": "assistant", "content": "Magic."}],
            "score_chosen": 0.75,
            "score_rejected": 0.25,
            "margin": 0.5,
            "p_chosen": 0.8,
            "labeller": "judge",
            "chosen_model": "policy:a",
            "rejected_model": "policy:b",
            "source": "test",
            "lineage": [{"stage": "pair", "row_id": "r-parent"}],
            "label_smoothing": None,
        }
    ]


def test_a_softened_label_is_written() -> None:
    pair = pair_row("r", "Rayleigh.", "Magic.", label_smoothing=0.1)
    (row,) = run(batch_for(STAGE, [pair]), Config(), CONTEXT).rows
    assert row["label_smoothing"] == 0.1


def test_no_column_has_a_name_that_trl_reserves() -> None:
    assert not RESERVED & {column.name for column in STAGE.writes}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (pair_row("r", "", "b"), "`chosen` is empty"),
        (pair_row("r", "a", " \n"), "`rejected` is empty"),
        (pair_row("r", None, "b"), "`chosen` is null"),
        (pair_row("r", "a", None), "`rejected` is null"),
        (pair_row("r", "a", "a "), "the same text"),
        (pair_row("r", "a", "b", messages=[]), "no messages"),
        (pair_row("r", "a", "b", messages=[{"role": "user", "content": " "}]), "turn is empty"),
        (
            pair_row("r", "a", "b", messages=[*QUESTION, {"role": "assistant", "content": "So."}]),
            "turn of `assistant`",
        ),
    ],
)
def test_what_a_trainer_would_take_silently_is_refused(row: Row, fault: str) -> None:
    good = pair_row("good", "a", "b")
    with pytest.raises(ExportRefused, match=f"row r: .*{fault}"):
        run(batch_for(STAGE, [good, row]), Config(), CONTEXT)


@given(st.text(), st.text())
def test_texts_pass_unchanged_or_not_at_all(chosen: str, rejected: str) -> None:
    batch = batch_for(STAGE, [pair_row("r", chosen, rejected)])
    if is_blank(chosen) or is_blank(rejected) or same_text(chosen, rejected):
        with pytest.raises(ExportRefused):
            run(batch, Config(), CONTEXT)
        return
    row = run(batch, Config(), CONTEXT).rows[0]
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == (chosen, rejected)
