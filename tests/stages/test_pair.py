from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import Row
from schemas.errors import RecipeError
from schemas.ids import child_id
from stages.pair import STAGE, Config, run
from tests.preference_rows import batch_for, response
from tests.support import FakeContext

CONTEXT = FakeContext(stage="pair")


def row(scores: dict[str, float], texts: dict[str, str] | None = None, **columns: object) -> Row:
    texts = texts or {name: f"answer {name}" for name in scores}
    return {
        "row_id": "row",
        "lineage": [],
        "responses": [response(name, text) for name, text in texts.items()],
        "scores": [
            {"response_id": name, "labeller": "judge", "score": score}
            for name, score in scores.items()
        ],
        **columns,
    }


def judgement(a: str, b: str, shown_first: float, shown_second: float) -> Row:
    return {
        "labeller": "judge",
        "response_a": a,
        "response_b": b,
        "p_a_shown_first": shown_first,
        "p_a_shown_second": shown_second,
        "p_a": (shown_first + shown_second) / 2,
        "label_mass": 1.0,
        "consistent": (shown_first > 0.5) == (shown_second > 0.5),
    }


def codes(one: Row, config: Config | None = None) -> list[str]:
    return [
        reject.code for reject in run(batch_for(STAGE, [one]), config or Config(), CONTEXT).rejects
    ]


def test_best_against_worst() -> None:
    result = run(batch_for(STAGE, [row({"x": 0.25, "y": 0.75, "z": 0.5})]), Config(), CONTEXT)
    assert result.rejects == ()
    assert result.rows == [
        {
            "row_id": child_id("row", "pair", "y", "x"),
            "lineage": [{"stage": "pair", "row_id": "row"}],
            "chosen": "answer y",
            "rejected": "answer x",
            "chosen_id": "y",
            "rejected_id": "x",
            "chosen_model": "policy:scripted",
            "rejected_model": "policy:scripted",
            "score_chosen": 0.75,
            "score_rejected": 0.25,
            "margin": 0.5,
            "p_chosen": None,
            "labeller": "judge",
        }
    ]


def test_equal_bests_are_told_apart_by_id() -> None:
    result = run(batch_for(STAGE, [row({"z": 1.0, "b": 1.0, "a": 0.0})]), Config(), CONTEXT)
    assert result.rows[0]["chosen_id"] == "b"


def test_p_chosen_is_the_judges_for_this_pair() -> None:
    # `x` is response_a, so P(y wins) = 1 - (0.3 + 0.1) / 2 = 0.8.
    judged = row({"x": 0.2, "y": 0.8}, judgements=[judgement("x", "y", 0.3, 0.1)])
    result = run(batch_for(STAGE, [judged]), Config(), CONTEXT)
    assert result.rows[0]["p_chosen"] == pytest.approx(0.8)


def test_p_chosen_of_implicit_rewards_is_sigmoid_of_the_margin() -> None:
    reward = {
        "response_id": "y",
        "labeller": "judge",
        "policy_logprob_sum": -10.0,
        "policy_n_tokens": 4,
        "reference_logprob_sum": -12.0,
        "reference_n_tokens": 4,
    }
    # Scores beta r = 0.2 and -0.1: the toy of SPA, sigmoid(0.3).
    scored = row({"y": 0.2, "x": -0.1}, implicit_rewards=[reward])
    result = run(batch_for(STAGE, [scored]), Config(), CONTEXT)
    assert result.rows[0]["p_chosen"] == pytest.approx(0.574442516811659)


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (row({"x": 1.0}), "too_few_scored"),
        (row({}, {"x": "answer"}), "too_few_scored"),
        (row({"x": 0.5, "y": 0.5}), "tie"),
        (row({"x": 0.5, "y": 0.55}), "small_margin"),
        (row({"x": 0.0, "y": 1.0}, {"x": "same", "y": " same\n"}), "same_text"),
        (
            row({"x": 0.0, "y": 1.0}, judgements=[judgement("x", "z", 0.2, 0.2)]),
            "pair_not_judged",
        ),
        (
            row({"x": 0.4, "y": 0.6}, judgements=[judgement("x", "y", 0.9, 0.2)]),
            "position_inconsistent",
        ),
        (row({"x": 0.4, "y": 0.6}, judgements=[judgement("x", "y", 0.9, 0.8)]), "direct_loss"),
    ],
)
def test_what_makes_no_pair(one: Row, code: str) -> None:
    assert codes(one, Config(min_margin=0.1)) == [code]


def test_inconsistent_pairs_pass_if_asked_for() -> None:
    doubtful = row({"x": 0.4, "y": 0.6}, judgements=[judgement("x", "y", 0.9, 0.2)])
    result = run(batch_for(STAGE, [doubtful]), Config(require_consistent=False), CONTEXT)
    assert result.rejects == ()
    assert result.rows[0]["p_chosen"] == pytest.approx(0.45)


def test_a_blank_answer_is_turned_away_and_never_the_loser() -> None:
    one = row({"x": 0.0, "y": 1.0, "z": 0.5}, {"x": " \n", "y": "good", "z": "fair"})
    result = run(batch_for(STAGE, [one]), Config(), CONTEXT)
    assert [(reject.code, reject.response_id) for reject in result.rejects] == [("empty_text", "x")]
    assert result.rows[0]["rejected"] == "fair"


def two_labellers() -> Row:
    one = row({"x": 0.0, "y": 1.0})
    one["scores"] += [
        {"response_id": "x", "labeller": "logit", "score": 2.0},
        {"response_id": "y", "labeller": "logit", "score": 1.0},
    ]
    return one


def test_several_labellers_need_a_name() -> None:
    with pytest.raises(RecipeError, match=r"(?s)stages\.pair\.labeller.*judge, logit"):
        run(batch_for(STAGE, [two_labellers()]), Config(), CONTEXT)
    result = run(batch_for(STAGE, [two_labellers()]), Config(labeller="logit"), CONTEXT)
    assert (result.rows[0]["chosen_id"], result.rows[0]["labeller"]) == ("x", "logit")


def test_a_reject_keeps_every_answer_verbatim() -> None:
    result = run(batch_for(STAGE, [row({"x": 1.0, "y": 1.0})]), Config(), CONTEXT)
    assert result.rejects[0].raw == "answer x\n\nanswer y"


SCORES = st.dictionaries(
    st.sampled_from("abcdef"), st.floats(-50, 50, allow_nan=False), min_size=2, max_size=6
)


@given(SCORES)
def test_a_pair_is_the_extremes_whatever_the_order(
    scores: dict[str, float],
) -> None:
    one = row(scores)
    shuffled = {**one, "responses": list(reversed(one["responses"]))}
    result = run(batch_for(STAGE, [one]), Config(), CONTEXT)
    assert result.table.equals(run(batch_for(STAGE, [shuffled]), Config(), CONTEXT).table)
    if len(set(scores.values())) == 1:
        assert [reject.code for reject in result.rejects] == ["tie"]
        return
    pair = result.rows[0]
    assert pair["score_chosen"] == max(scores.values())
    assert pair["score_rejected"] == min(scores.values())
    assert pair["chosen"] != pair["rejected"]
    assert pair["margin"] > 0 and math.isfinite(pair["margin"])


def test_where_all_scores_are_equal_length_may_decide() -> None:
    texts = {"x": "a long answer", "y": "short", "z": "middling one"}
    tied = row({"x": 0.5, "y": 0.5, "z": 0.5}, texts)
    (made,) = run(batch_for(STAGE, [tied]), Config(ties="shortest"), FakeContext()).rows
    assert (made["chosen"], made["rejected"], made["margin"]) == ("short", "a long answer", 0.0)
    assert codes(tied, Config(ties="drop")) == ["tie"]
    same_length = row({"x": 0.5, "y": 0.5}, {"x": "abc", "y": "def"})
    assert codes(same_length, Config(ties="shortest")) == ["tie"]


def test_length_decides_nothing_where_scores_differ() -> None:
    texts = {"x": "a long answer", "y": "short", "z": "the longest answer of all"}
    one = row({"x": 0.9, "y": 0.1, "z": 0.1}, texts)
    dropped, shortest = (
        run(batch_for(STAGE, [one]), Config(ties=ties), FakeContext()).rows  # type: ignore[arg-type]
        for ties in ("drop", "shortest")
    )
    assert dropped == shortest
