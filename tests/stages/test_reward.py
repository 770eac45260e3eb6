from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.scripted import ScriptedGenerator
from schemas.batch import Batch, Row
from schemas.errors import RecipeError
from schemas.models import Failure, Reward, RewardRequest
from schemas.stage import Need
from stages.reward import STAGE, Config, overall, run
from tests.preference_rows import QUESTION, batch_for, response
from tests.support import FakeContext

CONFIG = Config(model="rm")
ASKED = "<user>Why is the sky blue?</user>"
Worth = float | Failure | tuple[tuple[str, ...], tuple[float, ...], int]


def row(texts: Mapping[str, str], **columns: Any) -> Row:
    return {
        "row_id": "row",
        "messages": QUESTION,
        "responses": [response(name, text) for name, text in texts.items()],
        **columns,
    }


def label(one: Row, worths: Mapping[str, Worth], config: Config = CONFIG) -> Batch:
    """Label with a model that knows the worth of each text, or (outputs, values, cut off)."""

    def worth(request: RewardRequest) -> Reward | Failure | float:
        whole = request.conversation.text or ""
        text = whole.removeprefix(ASKED + "<assistant>").removesuffix("</assistant>")
        found = worths[text]
        if isinstance(found, tuple):
            return Reward(request.request_id, found[0], found[1], 9, found[2])
        return found

    context = FakeContext({"rm": ScriptedGenerator(worth=worth)}, stage="rm_step")
    return run(batch_for(STAGE, [one]), config, context)


def scores(result: Batch) -> dict[tuple[str, str], float]:
    (labelled,) = result.rows
    return {(s["response_id"], s["labeller"]): s["score"] for s in labelled["scores"]}


def test_the_conversation_ends_on_the_answer_and_the_score_is_raw() -> None:
    seen: list[RewardRequest] = []

    def worth(request: RewardRequest) -> float:
        seen.append(request)
        return -7.25

    context = FakeContext({"rm": ScriptedGenerator(worth=worth)}, stage="rm_step")
    earlier = {"response_id": "1", "labeller": "judge", "score": 0.5}
    batch = batch_for(STAGE, [row({"1": "Rayleigh."}, scores=[earlier])])
    (labelled,) = run(batch, CONFIG, context).rows
    (request,) = seen
    assert request.conversation.text == ASKED + "<assistant>Rayleigh.</assistant>"
    assert request.prompt.text == ASKED + "<assistant>"
    own = {"response_id": "1", "labeller": "rm_step", "score": -7.25}
    assert labelled["scores"] == [earlier, own]
    assert labelled["reward_readings"] == [
        {"response_id": "1", "labeller": "rm_step", "n_tokens": 5, "n_truncated": 0}
    ]


HELPSTEER = ("helpfulness", "verbosity")


def test_each_output_is_an_attribute_and_their_mean_the_score() -> None:
    result = label(row({"1": "a"}), {"a": (HELPSTEER, (3.0, 1.0), 0)})
    assert scores(result) == {
        ("1", "rm_step"): 2.0,
        ("1", "rm_step/helpfulness"): 3.0,
        ("1", "rm_step/verbosity"): 1.0,
    }


def test_weights_make_the_score_and_leave_the_attributes_as_they_are() -> None:
    config = Config(model="rm", weights={"helpfulness": 0.65, "verbosity": -0.4})
    result = label(row({"1": "a"}), {"a": (HELPSTEER, (3.0, 1.0), 0)}, config)
    assert scores(result)["1", "rm_step"] == pytest.approx(0.65 * 3 - 0.4)
    assert scores(result)["1", "rm_step/verbosity"] == 1.0


def test_a_weight_for_an_output_that_is_not_there_names_those_that_are() -> None:
    config = Config(model="rm", weights={"safety": 1.0})
    with pytest.raises(RecipeError, match=r"no output safety(.|\n)*helpfulness, verbosity"):
        label(row({"1": "a"}), {"a": (HELPSTEER, (3.0, 1.0), 0)}, config)


def test_truncation_is_kept_with_the_answer_or_turns_it_away() -> None:
    worths: dict[str, Worth] = {"long": (("reward",), (1.0,), 40), "short": 2.0}
    one = row({"1": "long", "2": "short"})
    (labelled,) = label(one, worths).rows
    assert [r["n_truncated"] for r in labelled["reward_readings"]] == [40, 0]
    strict = label(one, worths, Config(model="rm", allow_truncated=False))
    assert scores(strict) == {("2", "rm_step"): 2.0}
    (reject,) = strict.rejects
    assert (reject.code, reject.response_id, reject.raw) == ("truncated", "1", "long")
    assert "9 tokens" in reject.message and "40 more" in reject.message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_no_score(value: float) -> None:
    worths: dict[str, Worth] = {"bad": (HELPSTEER, (1.0, value), 0), "fine": 0.0}
    result = label(row({"1": "bad", "2": "fine"}), worths)
    assert scores(result) == {("2", "rm_step"): 0.0}
    (reject,) = result.rejects
    assert (reject.code, reject.response_id, reject.raw) == ("not_finite", "1", "bad")
    assert f"verbosity {value}" in reject.message


def test_an_answer_that_cannot_be_scored_gets_no_score() -> None:
    failure = Failure("x", "context_length", "the prompt fills the window", "raw bytes")
    result = label(row({"1": "fine", "2": "long", "3": " "}), {"fine": 1.0, "long": failure})
    assert scores(result) == {("1", "rm_step"): 1.0}
    assert [(r.code, r.response_id, r.raw) for r in result.rejects] == [
        ("engine_context_length", "2", "raw bytes"),
        ("empty_text", "3", " "),
    ]


@pytest.mark.parametrize(
    ("texts", "code"), [({"1": "a"}, "engine_timeout"), ({"1": ""}, "no_scores"), ({}, "no_scores")]
)
def test_a_row_without_any_score_is_rejected(texts: Mapping[str, str], code: str) -> None:
    result = label(row(texts), {"a": Failure("x", "timeout", "waited 120 s")})
    assert result.rows == []
    assert [r.code for r in result.rejects if r.response_id is None] == [code]


def test_it_needs_a_reward_model() -> None:
    assert STAGE.needs(CONFIG) == (Need("model", "rm", frozenset(("reward",))),)


VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5)


@given(VALUES, st.integers(0, 4))
def test_the_overall_score_is_an_affine_mean(values: list[float], place: int) -> None:
    names = tuple(f"a{i}" for i in range(len(values)))
    reward = Reward("r", names, tuple(values), 1)
    place %= len(values)
    equal = {name: 1 / len(values) for name in names}
    assert overall(reward, None) == pytest.approx(overall(reward, equal), abs=1e-6)
    assert overall(reward, {names[place]: 1.0}) == values[place]
    shifted = Reward("r", names, tuple(value + 1 for value in values), 1)
    assert overall(shifted, None) == pytest.approx(overall(reward, None) + 1, abs=1e-6)
