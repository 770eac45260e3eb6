from __future__ import annotations

from typing import Any

import pytest

from schemas.batch import Batch, Row
from schemas.errors import ExportRefused
from stages.export_sft import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for
from tests.support import FakeContext


def export(*rows: Row, plain: bool = False) -> Batch:
    config = Config(plain=plain)
    return run(batch_for(STAGE.fit(config), rows), config, FakeContext())


def row(answer: Any, **changed: Any) -> Row:
    kept = {"row_id": "1", "source": "test", "lineage": []}
    return {**kept, "messages": QUESTION, "answer": answer, **changed}


def test_an_answer_becomes_a_completion() -> None:
    (made,) = export(row("Light.")).rows
    completion = [{"role": "assistant", "content": "Light."}]
    kept = {"row_id": "1", "source": "test", "lineage": []}
    assert made == {**kept, "prompt": QUESTION, "completion": completion}


def test_a_plain_text_needs_no_prompt() -> None:
    text = {name: value for name, value in row("Once.").items() if name != "messages"}
    (made,) = export(text, plain=True).rows
    assert made == {"row_id": "1", "source": "test", "lineage": [], "text": "Once."}


@pytest.mark.parametrize(
    ("bad", "plain"),
    [
        (row(" \n"), False),
        (row(" \n"), True),
        (row("Light.", messages=[]), False),
        (row("Light.", messages=[*QUESTION, {"role": "assistant", "content": "x"}]), False),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(bad: Row, plain: bool) -> None:
    rows = {name: value for name, value in bad.items() if name != "messages" or not plain}
    with pytest.raises(ExportRefused, match="row 1"):
        export(rows, plain=plain)
