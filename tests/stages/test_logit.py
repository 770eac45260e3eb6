from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.engines.scripted import ScriptedGenerator
from schemas.batch import Batch, Row
from schemas.models import Failure, Score, ScoreRequest
from schemas.stage import Need
from stages.logit import STAGE, Config, implicit_reward, preference, run
from tests.preference_rows import QUESTION, batch_for, response
from tests.support import FakeContext

CONFIG = Config(model="policy", reference="start")


def row(texts: Mapping[str, str], **columns: Any) -> Row:
    return {
        "row_id": "row",
        "messages": QUESTION,
        "responses": [response(name, text, system="Be odd.") for name, text in texts.items()],
        **columns,
    }


def model(sums: Mapping[str, float | Failure]) -> ScriptedGenerator:
    def likelihood(request: ScoreRequest) -> Score | Failure | float:
        return sums[request.completion]

    return ScriptedGenerator(likelihood=likelihood)


def label(one: Row, policy: ScriptedGenerator, start: ScriptedGenerator) -> Batch:
    context = FakeContext({"policy": policy, "start": start}, stage="logit")
    return run(batch_for(STAGE, [one]), CONFIG, context)


def test_the_toy_of_spa() -> None:
    # log pi = (-10, -14), log ref = (-12, -13): r = (2, -1), beta = 0.1.
    result = label(
        row({"1": "first one", "2": "second"}),
        model({"first one": -10, "second": -14}),
        model({"first one": -12, "second": -13}),
    )
    (labelled,) = result.rows
    assert [score["score"] for score in labelled["scores"]] == pytest.approx([0.2, -0.1])
    assert labelled["implicit_rewards"][0] == {
        "response_id": "1",
        "labeller": "logit",
        "policy_logprob_sum": -10.0,
        "policy_n_tokens": 2,
        "reference_logprob_sum": -12.0,
        "reference_n_tokens": 2,
    }
    assert preference(2, -1, 0.1) == pytest.approx(0.574442516811659)


def test_earlier_labels_stay() -> None:
    earlier = {"response_id": "1", "labeller": "judge", "score": 0.5}
    same = model({"a": -1.0})
    (labelled,) = label(row({"1": "a"}, scores=[earlier]), same, same).rows
    assert labelled["scores"] == [earlier, {"response_id": "1", "labeller": "logit", "score": 0.0}]


def test_answers_are_scored_under_the_rows_own_conversation() -> None:
    seen: list[str | None] = []

    def likelihood(request: ScoreRequest) -> float:
        seen.append(request.prompt.text)
        return 0.0

    label(row({"1": "a"}), ScriptedGenerator(likelihood=likelihood), model({"a": 0.0}))
    assert seen == ["<user>Why is the sky blue?</user><assistant>"]


SAMPLED = {"model": "policy:scripted", "finish_reason": "stop", "n_tokens": 3}


def own(changed: Mapping[str, Any]) -> Row:
    """An answer of two words that the policy sampled, with its stop token."""
    sums = {"logprob_sum": -5.0, "text_logprob_sum": -4.5}
    answer = response("1", "first one", **{**SAMPLED, **sums, **changed})
    return {**row({}), "responses": [answer]}


@pytest.mark.parametrize(
    ("changed", "policy_sum"),
    [
        ({}, -4.5),
        ({"finish_reason": "length", "n_tokens": 2, "text_logprob_sum": -5.0}, -5.0),
        # Below, the policy is asked and says -10.
        ({"model": "start:scripted"}, -10.0),
        ({"model": "given"}, -10.0),
        ({"system": "Be odd."}, -10.0),
        ({"text_logprob_sum": None}, -10.0),
        ({"n_tokens": 4}, -10.0),
        ({"finish_reason": "length"}, -10.0),
    ],
)
def test_what_the_policy_sampled_is_not_asked_again(
    changed: Mapping[str, Any], policy_sum: float
) -> None:
    models = {"first one": -10.0}
    (labelled,) = label(own(changed), model(models), model({"first one": -12.0})).rows
    (reward,) = labelled["implicit_rewards"]
    assert (reward["policy_logprob_sum"], reward["policy_n_tokens"]) == (policy_sum, 2)
    assert (reward["reference_logprob_sum"], reward["reference_n_tokens"]) == (-12.0, 2)
    assert labelled["scores"][0]["score"] == pytest.approx(0.1 * (policy_sum + 12))


def test_under_a_principle_the_policy_is_always_asked() -> None:
    config = Config(model="policy", mode="contrast", principle="helpful", beta=1.0)
    context = FakeContext({"policy": model({"first one": -10.0})})
    (labelled,) = run(batch_for(STAGE, [own({})]), config, context).rows
    assert labelled["scores"][0]["score"] == 0.0


def test_contrast_asks_one_model_under_a_principle_and_its_opposite() -> None:
    prompts: list[str] = []

    def likelihood(request: ScoreRequest) -> float:
        prompts.append(request.prompt.text or "")
        return float(len(prompts)) - 2

    config = Config(model="policy", mode="contrast", principle="helpful", beta=1.0)
    context = FakeContext({"policy": ScriptedGenerator(likelihood=likelihood)})
    (labelled,) = run(batch_for(STAGE, [row({"1": "a"})]), config, context).rows
    assert labelled["scores"][0]["score"] == 1.0  # the opposite is asked first: 0 - (-1)
    first, second = prompts
    assert first != second
    for prompt in prompts:
        assert prompt.startswith("<system>")
        assert prompt.endswith("<user>Why is the sky blue?</user><assistant>")


def test_an_answer_that_cannot_be_scored_gets_no_score() -> None:
    failure = Failure("x", "context_length", "9000 tokens, 8192 fit", "raw bytes")
    result = label(
        row({"1": "fine", "2": "long", "3": " "}),
        model({"fine": -1.0, "long": -2.0}),
        model({"fine": -2.0, "long": failure}),
    )
    assert [score["response_id"] for score in result.rows[0]["scores"]] == ["1"]
    assert [(r.code, r.response_id, r.raw) for r in result.rejects] == [
        ("engine_context_length", "2", "raw bytes"),
        ("empty_text", "3", " "),
    ]


def test_what_is_impossible_for_a_model_has_no_reward() -> None:
    impossible = model({"odd": -math.inf, "fine": -1.0})
    result = label(row({"1": "odd", "2": "fine"}), impossible, impossible)
    assert [score["response_id"] for score in result.rows[0]["scores"]] == ["2"]
    (reject,) = result.rejects
    assert (reject.code, reject.response_id, reject.raw) == ("not_finite", "1", "odd")


@pytest.mark.parametrize(
    ("texts", "code"), [({"1": "a"}, "engine_timeout"), ({"1": ""}, "no_scores"), ({}, "no_scores")]
)
def test_a_row_without_any_score_is_rejected(texts: Mapping[str, str], code: str) -> None:
    broken = model({"a": Failure("x", "timeout", "waited 120 s")})
    result = label(row(texts), broken, broken)
    assert result.rows == []
    assert [r.code for r in result.rejects if r.response_id is None] == [code]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "p"}, "needs `reference`"),
        ({"model": "p", "mode": "contrast"}, "needs `principle`"),
        ({"model": "p", "reference": "s", "principle": "helpful"}, "no use for `principle`"),
        ({"model": "p", "mode": "contrast", "principle": "rude"}, "no principle `rude`.*helpful"),
        (
            {"model": "p", "mode": "contrast", "principle": "helpful", "reference": "s"},
            "no use for `reference`",
        ),
    ],
)
def test_settings_that_contradict_the_mode(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config.model_validate(settings)


def test_needs_both_models_or_one() -> None:
    score = frozenset(("score",))
    assert STAGE.needs(CONFIG) == (
        Need("model", "policy", score),
        Need("reference", "start", score),
    )
    contrast = Config(model="policy", mode="contrast", principle="helpful")
    assert STAGE.needs(contrast) == (Need("model", "policy", score),)


def test_the_principles_texts_are_part_of_the_key() -> None:
    contrast = Config(model="policy", mode="contrast", principle="helpful")
    assert STAGE.prompts(CONFIG) == ()
    assert STAGE.prompts(contrast) == ("principle_helpful", "principle_helpful_opposite")


NATS = st.floats(-1e4, 0)


@given(NATS, NATS, NATS, NATS, st.floats(0.01, 10), st.floats(-100, 100))
def test_laws_of_the_preference(
    pi_1: float, pi_2: float, ref_1: float, ref_2: float, beta: float, shift: float
) -> None:
    first, second = implicit_reward(pi_1, ref_1), implicit_reward(pi_2, ref_2)
    p = preference(first, second, beta)
    assert 0 <= p <= 1
    assert preference(second, first, beta) == pytest.approx(1 - p)
    moved = preference(
        implicit_reward(pi_1, ref_1 + shift), implicit_reward(pi_2, ref_2 + shift), beta
    )
    assert moved == pytest.approx(p, abs=1e-6)
    assert preference(implicit_reward(pi_1, pi_1), implicit_reward(pi_2, pi_2), beta) == 0.5
