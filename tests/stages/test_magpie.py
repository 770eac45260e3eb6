from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.engines.scripted import ScriptedGenerator
from prompts.render import render
from schemas.batch import Batch, make_batch
from schemas.columns import MESSAGES, ROW_ID
from schemas.ids import row_seed
from schemas.models import Failure, GenerateRequest, Generation
from stages.magpie import FOLLOW_UP_PROMPT, STAGE, Config
from tests.support import FakeContext, run_pass

GOOD = "What makes the sky look blue?"


def positions(*ids: str) -> Batch:
    return make_batch((ROW_ID,), [{"row_id": row_id} for row_id in ids])


def settings(**values: Any) -> Config:
    return Config.model_validate({"model": "policy", "rows": 4, **values})


class Scripted(ScriptedGenerator):
    """Answers with one script after the other, the last for ever; keeps the requests."""

    def __init__(self, *scripts: Any) -> None:
        super().__init__(self._next)
        self.scripts = list(scripts)
        self.requests: list[GenerateRequest] = []

    def _next(self, request: GenerateRequest) -> Any:
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return script(request) if callable(script) else script


def cut(text: str) -> Any:
    return lambda request: Generation(request.request_id, text, "length", 512, 3)


def broken(request: GenerateRequest) -> Failure:
    return Failure(request.request_id, "server", "HTTP 503", "try later")


def run(model: ScriptedGenerator, *ids: str, **values: Any) -> Batch:
    context = FakeContext({"policy": model}, stage="seeds")
    return STAGE.run(positions(*(ids or ("r",))), settings(**values), context)


def talk(batch: Batch) -> list[list[tuple[str, str]]]:
    return [[(m["role"], m["content"]) for m in row["messages"]] for row in batch.rows]


def test_the_model_continues_its_own_user_turn() -> None:
    model = Scripted(f" {GOOD} ")
    batch = run(model, temperature=0.9, top_p=0.8, max_tokens=99)
    assert batch.rows == [
        {
            "row_id": "r",
            "messages": [{"role": "user", "content": GOOD}],
            "source": "seeds: policy:scripted",
            "lineage": [],
        }
    ]
    (request,) = model.requests
    assert request.prompt.text == "<user>"
    assert request.seed == row_seed("r", "seeds", 0, 1)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.9, 0.8, 99)
    assert sampling.stop_token_ids == (7,)
    assert sampling.stop == ("</user>", "\n"), "never the word assistant"


def test_several_lines_can_be_allowed() -> None:
    model = Scripted(GOOD)
    run(model, single_line=False)
    assert model.requests[0].sampling.stop == ("</user>",)


def test_a_system_prompt_steers_and_is_not_kept() -> None:
    model = Scripted(GOOD)
    batch = run(model, system="You teach physics.")
    assert model.requests[0].prompt.text == "<system>You teach physics.</system><user>"
    assert talk(batch) == [[("user", GOOD)]]


def test_later_turns_follow_the_conversation() -> None:
    follow_up = "And why is it red at night?"
    model = Scripted(GOOD, "Because of scattering.", follow_up)
    batch = run(model, turns=2, answer_max_tokens=77)
    assert talk(batch) == [
        [("user", GOOD), ("assistant", "Because of scattering."), ("user", follow_up)]
    ]
    _, answer, second = model.requests
    asked = f"<user>{GOOD}</user><assistant>"
    assert answer.prompt.text == asked, "the answer does not see the follow-up prompt"
    assert (answer.sampling.temperature, answer.sampling.max_tokens) == (0, 77)
    announced = f"<system>{render(FOLLOW_UP_PROMPT)}</system>"
    assert second.prompt.text == f"{announced}{asked}Because of scattering.</assistant><user>"
    assert second.seed == row_seed("r", "seeds", 0, 2)


def test_follow_ups_can_go_unannounced() -> None:
    model = Scripted(GOOD, "Because.", "And why is it red at night?")
    run(model, turns=2, follow_up_system=False)
    assert "<system>" not in (model.requests[2].prompt.text or "")
    assert STAGE.prompts(settings(turns=2)) == (FOLLOW_UP_PROMPT,)
    assert STAGE.prompts(settings(turns=2, follow_up_system=False)) == ()
    assert STAGE.prompts(settings()) == ()


def test_a_bad_instruction_is_sampled_again_with_another_seed() -> None:
    model = Scripted("", cut(GOOD), GOOD)
    batch = run(model, attempts=3)
    assert talk(batch) == [[("user", GOOD)]]
    assert batch.rejects == ()
    assert [r.seed for r in model.requests] == [row_seed("r", "seeds", k, 1) for k in range(3)]


def test_the_last_attempt_says_why_a_row_was_lost() -> None:
    batch = run(Scripted("", cut("Tell me about")), attempts=2)
    (reject,) = batch.rejects
    assert len(batch) == 0
    assert (reject.row_id, reject.code, reject.raw) == ("r", "truncated", "Tell me about")


def test_lengths_have_limits() -> None:
    (short,) = run(Scripted("Why so?"), attempts=1).rejects
    (long,) = run(Scripted(GOOD), attempts=1, max_chars=20).rejects
    assert (short.code, long.code) == ("too_short", "too_long")


def test_engine_failures_are_not_retried() -> None:
    model = Scripted(broken)
    (reject,) = run(model, attempts=3).rejects
    assert len(model.requests) == 1
    assert (reject.code, reject.message, reject.raw) == ("engine_server", "HTTP 503", "try later")


@pytest.mark.parametrize(
    ("answer", "code"),
    [(cut("Because"), "truncated"), (" ", "empty_answer"), (broken, "engine_server")],
)
def test_a_bad_answer_between_the_turns_loses_the_row(answer: Any, code: str) -> None:
    (reject,) = run(Scripted(GOOD, answer), turns=2).rejects
    assert reject.code == code


def test_the_word_assistant_stays() -> None:
    text = "Write a virtual assistant in Python for me."
    assert talk(run(Scripted(text))) == [[("user", text)]]


def test_of_repeated_instructions_the_smallest_row_id_stays() -> None:
    texts = {"a": GOOD, "b": "How do birds find their way?", "c": f"{GOOD.upper()}", "d": GOOD}
    parts = [run(Scripted(texts[i]), i) for i in "dcba"]
    after, _ = run_pass(STAGE, settings(), [part.table for part in parts])
    assert [row["row_id"] for batch in after for row in batch.rows] == ["b", "a"]
    (reject,) = after[1].rejects
    assert (reject.row_id, reject.code, reject.raw) == ("c", "repeated", GOOD.upper())
    assert "row a, which stays" in reject.message


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1), st.sampled_from("xyz")), unique_by=lambda p: p[0]
    ),
    st.integers(0, 5),
)
def test_the_decision_does_not_depend_on_parts(pairs: Sequence[tuple[str, str]], at: int) -> None:
    def kept(*parts: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        tables = [batch_of(part) for part in parts]
        after, _ = run_pass(STAGE, settings(), tables)
        rows = (row for batch in after for row in batch.rows)
        return {(row["row_id"], row["messages"][0]["content"]) for row in rows}

    whole = kept(pairs)
    assert kept(pairs[at:][::-1], pairs[:at]) == whole
    assert {text for _, text in whole} == {text for _, text in pairs}
    assert len({text for _, text in whole}) == len(whole)


def batch_of(pairs: Sequence[tuple[str, str]]) -> pa.Table:
    rows = [
        {"row_id": row_id, "messages": [{"role": "user", "content": text}]}
        for row_id, text in pairs
    ]
    return make_batch((ROW_ID, MESSAGES), rows).table


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="min_chars 30 exceeds max_chars 20"):
        settings(min_chars=30, max_chars=20)
    with pytest.raises(ValidationError, match="rows"):
        settings(rows=0)
    assert STAGE.feed is not None
    assert STAGE.feed(settings(rows=9)).count == 9
    (need,) = STAGE.needs(settings())
    assert (need.key, need.role) == ("model", "policy")
    assert need.capabilities == {"generate", "raw_prompt"}
