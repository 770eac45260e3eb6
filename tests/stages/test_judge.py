from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.scripted import ScriptedGenerator
from schemas.batch import Batch, Row
from schemas.models import Failure, LabelProbs, LabelRequest
from stages.judge import STAGE, Config, run
from tests.preference_rows import QUESTION, batch_for, response
from tests.support import FakeContext

CONFIG = Config(model="policy")
Verdict = Callable[[str, str], Sequence[float] | Failure]


def row(texts: Mapping[str, str], row_id: str = "row", **columns: Any) -> Row:
    return {
        "row_id": row_id,
        "messages": QUESTION,
        "responses": [response(name, text) for name, text in texts.items()],
        **columns,
    }


def judge(rows: Sequence[Row], verdict: Verdict, config: Config = CONFIG) -> Batch:
    """Judge with a model that sees the two texts as shown."""
    texts = {answer["text"] for one in rows for answer in one["responses"]}

    def labels(request: LabelRequest) -> LabelProbs | Failure | Sequence[float]:
        prompt = request.prompt.text or ""
        shown = sorted((text for text in texts if text in prompt), key=prompt.index)
        first, second = shown
        return verdict(first, second)

    context = FakeContext({"policy": ScriptedGenerator(labels=labels)}, stage="judge")
    return run(batch_for(STAGE, rows), config, context)


def test_both_orders_are_kept_and_averaged() -> None:
    table = {("[one]", "[two]"): (0.8, 0.2), ("[two]", "[one]"): (0.3, 0.3)}
    result = judge([row({"a": "[one]", "b": "[two]"})], lambda u, v: table[u, v])
    (labelled,) = result.rows
    # f(a, b) = 0.8; f(b, a) = 0.5, so a wins with 0.5 when shown second: no side is preferred.
    (judgement,) = labelled["judgements"]
    assert judgement == {
        "labeller": "judge",
        "response_a": "a",
        "response_b": "b",
        "p_a_shown_first": pytest.approx(0.8),
        "p_a_shown_second": pytest.approx(0.5),
        "p_a": pytest.approx(0.65),
        "label_mass": pytest.approx(0.6),
        "consistent": False,
    }
    assert labelled["scores"] == [
        {"response_id": "a", "labeller": "judge", "score": pytest.approx(0.65)},
        {"response_id": "b", "labeller": "judge", "score": pytest.approx(0.35)},
    ]


def test_a_score_is_the_mean_over_the_pairs() -> None:
    quality = {"[one]": 3.0, "[two]": 2.0, "[three]": 1.0}

    def verdict(first: str, second: str) -> tuple[float, float]:
        p = quality[first] / (quality[first] + quality[second])
        return p, 1 - p

    (labelled,) = judge([row({"a": "[one]", "b": "[two]", "c": "[three]"})], verdict).rows
    # a: (3/5 + 3/4) / 2, b: (2/5 + 2/3) / 2, c: (1/4 + 1/3) / 2.
    scores = [score["score"] for score in labelled["scores"]]
    assert scores == pytest.approx([0.675, 8 / 15, 7 / 24])
    assert [judgement["consistent"] for judgement in labelled["judgements"]] == [True] * 3


def test_a_judge_that_always_says_first_gives_even_scores_and_no_label() -> None:
    (labelled,) = judge([row({"a": "[one]", "b": "[two]"})], lambda u, v: (0.99, 0.01)).rows
    assert [score["score"] for score in labelled["scores"]] == pytest.approx([0.5, 0.5])
    assert labelled["judgements"][0]["consistent"] is False


def test_a_pair_without_label_mass_is_not_judged() -> None:
    def verdict(first: str, second: str) -> tuple[float, float]:
        return (0.004, 0.005) if "[three]" in (first, second) else (0.5, 0.4)

    result = judge([row({"a": "[one]", "b": "[two]", "c": "[three]"})], verdict)
    assert [score["response_id"] for score in result.rows[0]["scores"]] == ["a", "b"]
    assert [(r.code, r.response_id) for r in result.rejects] == [
        ("judge_low_mass", "a"),
        ("judge_low_mass", "b"),
    ]
    assert "0.009" in result.rejects[0].message
    assert result.rejects[0].raw == "[one]\n\n[three]"


def test_no_mass_at_all_is_no_label_whatever_the_limit() -> None:
    config = Config(model="policy", min_label_mass=0)
    result = judge([row({"a": "[one]", "b": "[two]"})], lambda u, v: (0.0, 0.0), config)
    assert [r.code for r in result.rejects] == ["judge_low_mass", "no_judgement"]


def test_an_engine_failure_turns_the_pair_away_with_what_came_back() -> None:
    def verdict(first: str, second: str) -> tuple[float, float] | Failure:
        return (
            Failure("x", "malformed", "no logprobs", "<html>") if first == "[two]" else (0.5, 0.5)
        )

    result = judge([row({"a": "[one]", "b": "[two]"})], verdict)
    assert result.rows == []
    pair, whole = result.rejects
    assert (pair.code, pair.raw, pair.response_id) == ("engine_malformed", "<html>", "a")
    assert (whole.code, whole.raw, whole.response_id) == (
        "engine_malformed",
        "[one]\n\n[two]",
        None,
    )


def test_equal_texts_are_not_judged() -> None:
    result = judge([row({"a": "[one]", "b": "[one] "})], lambda u, v: (0.5, 0.5))
    assert [(r.code, r.response_id) for r in result.rejects] == [
        ("same_text", "a"),
        ("no_judgement", None),
    ]


def test_the_judges_prompt_is_part_of_the_key() -> None:
    assert STAGE.prompts(CONFIG) == ("judge_pairwise",)


def test_one_answer_cannot_be_compared() -> None:
    (reject,) = judge([row({"a": "[one]"})], lambda u, v: (0.5, 0.5)).rejects
    assert reject.code == "no_judgement"
    assert "fewer than two answers" in reject.message


def test_earlier_labels_stay() -> None:
    earlier = {"response_id": "a", "labeller": "logit", "score": 7.0}
    one = row({"a": "[one]", "b": "[two]"}, scores=[earlier])
    assert judge([one], lambda u, v: (0.5, 0.5)).rows[0]["scores"][0] == earlier


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")),
        st.floats(0.02, 0.98),
        min_size=0,
    )
)
def test_scores_do_not_depend_on_the_order_of_answers_or_rows(
    verdicts: dict[tuple[str, str], float],
) -> None:
    def verdict(first: str, second: str) -> tuple[float, float]:
        p = verdicts.get((first[1], second[1]), 0.6)
        return p, 1 - p

    texts = {name: f"[{name}]" for name in "abcd"}
    backwards = dict(reversed(texts.items()))
    one = judge([row(texts, "1"), row(texts, "2")], verdict).rows
    other = judge([row(backwards, "2"), row(backwards, "1")], verdict).rows

    def scores(labelled: Row) -> dict[str, float]:
        return {score["response_id"]: score["score"] for score in labelled["scores"]}

    for labelled in (*one, *other):
        assert scores(labelled) == pytest.approx(scores(one[0]))
        # In every pair the two probabilities add up to one: six pairs, three per answer.
        assert sum(scores(labelled).values()) == pytest.approx(6 / 3)
        assert all(
            judgement["p_a"]
            == pytest.approx((judgement["p_a_shown_first"] + judgement["p_a_shown_second"]) / 2)
            for judgement in labelled["judgements"]
        )
