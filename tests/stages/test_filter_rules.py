from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch, make_batch
from schemas.columns import MESSAGES, RESPONSES, ROW_ID
from stages.filter_rules import STAGE, Config
from tests.support import FakeContext


def response(response_id: str, text: str, finish_reason: str = "stop") -> dict[str, Any]:
    return {
        "response_id": response_id,
        "text": text,
        "model": "given",
        "system": None,
        "finish_reason": finish_reason,
        "n_tokens": 5,
        "logprob_sum": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "seed": 1,
        "is_baseline": False,
        "text_logprob_sum": None,
    }


def run(*responses: dict[str, Any], prompt: str = "Why?", **settings: Any) -> Batch:
    messages = [{"role": "user", "content": prompt}]
    row = {"row_id": "r", "messages": messages, "responses": list(responses)}
    batch = make_batch((ROW_ID, MESSAGES, RESPONSES), [row])
    return STAGE.run(batch, Config(**settings), FakeContext())


GOOD = response("good", "Because of the light."), response("fine", "That is not known.")


def test_what_breaks_no_rule_passes_as_it_is() -> None:
    batch = run(*GOOD)
    assert batch.rejects == ()
    assert batch.rows == [{"row_id": "r", "responses": list(GOOD)}]


@pytest.mark.parametrize(
    ("bad", "settings", "code", "message"),
    [
        (
            response("bad", "Because of", "length"),
            {},
            "truncated",
            "cut off after 5 tokens: finish_reason is `length`",
        ),
        (
            response("bad", " \n"),
            {},
            "response_too_short",
            "the answer has 0 characters, fewer than 1",
        ),
        (
            response("bad", "x" * 31),
            {"response_max_chars": 30},
            "response_too_long",
            "the answer has 31 characters, more than 30",
        ),
        (
            response("bad", "I\u2019m sorry,  but I CAN\u2019T say."),
            {},
            "refusal",
            "opens with `i'm sorry, but i can't`",
        ),
        (
            response("bad", "no way\n" * 4),
            {"repetition_min_words": 8},
            "repetitive",
            "repeated lines: 0.75, more than 0.30",
        ),
    ],
)
def test_a_bad_answer_is_dropped_and_the_row_lives_on(
    bad: dict[str, Any], settings: dict[str, Any], code: str, message: str
) -> None:
    batch = run(*GOOD, bad, **settings)
    (reject,) = batch.rejects
    assert (reject.response_id, reject.code, reject.message) == ("bad", code, message)
    assert reject.raw == bad["text"]
    assert [r["response_id"] for r in batch.rows[0]["responses"]] == ["good", "fine"]


def test_rules_can_be_turned_off() -> None:
    bad = (
        response("cut", "Because of", "length"),
        response("no", "I'm sorry, but I can't say."),
        response("loop", "no way\n" * 50),
    )
    batch = run(*bad, allow_truncated=True, refusal_openings=(), repetition=False)
    assert len(batch.rows[0]["responses"]) == 3


def test_a_row_with_too_few_answers_is_dropped() -> None:
    batch = run(GOOD[0], response("cut", "Because", "length"))
    assert len(batch) == 0
    cut, row = batch.rejects
    assert (cut.response_id, cut.code) == ("cut", "truncated")
    assert (row.response_id, row.code, row.raw) == (None, "too_few_responses", "Why?")
    assert row.message == "1 of 2 answers left, fewer than min_responses 2"
    assert len(run(GOOD[0], min_responses=1)) == 1


def test_prompts_have_limits_too() -> None:
    (short,) = run(*GOOD, prompt_min_chars=5).rejects
    assert (short.code, short.raw, short.response_id) == ("prompt_too_short", "Why?", None)
    (long,) = run(*GOOD, prompt="x" * 9, prompt_max_chars=8).rejects
    assert long.message == "the prompt has 9 characters, more than 8"


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="min_responses"):
        Config(min_responses=0)


@given(st.lists(st.text("ab ", max_size=5), min_size=1, max_size=6), st.integers(1, 4))
def test_every_answer_is_kept_or_dropped_once(texts: list[str], least: int) -> None:
    responses = [response(f"{i}", text) for i, text in enumerate(texts)]
    batch = run(*responses, min_responses=least)
    dropped = {reject.response_id for reject in batch.rejects} - {None}
    kept = {r["response_id"] for row in batch.rows for r in row["responses"]}
    assert not kept & dropped
    if batch.rows:
        assert kept | dropped == {f"{i}" for i in range(len(texts))}
        assert len(kept) >= least
    else:
        assert len(texts) - len(dropped) < least
