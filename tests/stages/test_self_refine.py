from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.engines.scripted import ScriptedGenerator
from schemas.batch import Batch, Row
from schemas.models import Failure, ScoreRequest
from schemas.stage import Need
from stages.logit import preference
from stages.self_refine import STAGE, Config, run
from tests.preference_rows import batch_for, pair_row
from tests.support import FakeContext, run_pass


def settings(**values: Any) -> Config:
    return Config.model_validate({"model": "policy", "reference": "start", **values})


def model(sums: Mapping[str, float | Failure]) -> ScriptedGenerator:
    def likelihood(request: ScoreRequest) -> float | Failure:
        return sums[request.completion]

    return ScriptedGenerator(likelihood=likelihood)


def draft(
    rows: Sequence[Row],
    policy: Mapping[str, float | Failure],
    start: Mapping[str, float | Failure],
    config: Config,
) -> Batch:
    context = FakeContext({"policy": model(policy), "start": model(start)})
    return run(batch_for(STAGE, rows), config, context)


def refined(parts: Sequence[Batch], config: Config) -> dict[str, Row]:
    after, _ = run_pass(STAGE, config, [part.table for part in parts])
    rows = [row for part in after for row in part.rows]
    return {row["row_id"]: row for row in rows}


def with_margins(margins: Sequence[float], **values: Any) -> dict[str, Row]:
    """Pairs by the log-likelihood ratio of the chosen answer less that of the rejected."""
    rows = [pair_row(f"{i:03}", f"c{i}", f"r{i}") for i in range(len(margins))]
    policy: dict[str, float | Failure] = {f"c{i}": m - 9 for i, m in enumerate(margins)}
    policy |= {f"r{i}": -9.0 for i in range(len(margins))}
    config = settings(**values)
    return refined([draft(rows, policy, dict.fromkeys(policy, -9.0), config)], config)


def test_confidence_is_that_of_the_toy_of_spa() -> None:
    one = [pair_row("a", "first", "second")]
    policy, start = {"first": -10.0, "second": -14.0}, {"first": -12.0, "second": -13.0}
    (row,) = draft(one, policy, start, settings()).rows
    assert row == {
        "row_id": "a",
        "confidence": pytest.approx(0.574442516811659),
        "is_noisy": False,
        "label_smoothing": 0.0,
    }
    turned = [pair_row("a", "second", "first")]
    (other,) = draft(turned, policy, start, settings()).rows
    assert other["confidence"] == pytest.approx(1 - row["confidence"])


def test_the_least_confident_tenth_is_softened_by_a_tenth() -> None:
    rows = with_margins([float(50 - i) for i in range(50)])
    noisy = [row_id for row_id, row in sorted(rows.items()) if row["is_noisy"]]
    assert noisy == ["045", "046", "047", "048", "049"]
    for row_id, row in rows.items():
        assert row["label_smoothing"] == (0.1 if row_id in noisy else 0.0)


@pytest.mark.parametrize(
    ("share", "n_noisy"), [(0.0, 0), (0.09, 0), (0.29, 2), (0.3, 3), (1.0, 10)]
)
def test_the_share_is_never_exceeded(share: float, n_noisy: int) -> None:
    rows = with_margins([0.0] * 10, noisy_share=share)
    assert sum(row["is_noisy"] for row in rows.values()) == n_noisy


def smoothed_loss(margin: float, smoothing: float) -> float:
    """What a trainer minimises for a pair, as the stage's text says."""
    wins = preference(margin, 0, 1)
    return -(1 - smoothing) * math.log(wins) - smoothing * math.log(1 - wins)


@given(st.floats(-20, 20), st.floats(0, 0.5))
def test_laws_of_the_smoothed_loss(margin: float, alpha: float) -> None:
    (row,) = with_margins([margin], noisy_share=1.0, smoothing=alpha).values()
    assert row["is_noisy"]
    assert smoothed_loss(0, row["label_smoothing"]) == pytest.approx(math.log(2))
    plain = -math.log(preference(margin, 0, 1))
    assert smoothed_loss(margin, 0) == pytest.approx(plain)
    (hard,) = with_margins([margin], noisy_share=1.0, smoothing=0.0).values()
    assert smoothed_loss(margin, hard["label_smoothing"]) == pytest.approx(plain)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.integers(1, 11), st.floats(0, 1))
def test_which_are_noisy_does_not_depend_on_parts(
    margins: list[float], cut: int, share: float
) -> None:
    rows = [pair_row(f"{i}", f"c{i}", f"r{i}") for i in range(len(margins))]
    policy: dict[str, float | Failure] = {f"c{i}": m - 9 for i, m in enumerate(margins)}
    policy |= {f"r{i}": -9.0 for i in range(len(margins))}
    start, config = dict.fromkeys(policy, -9.0), settings(noisy_share=share)
    whole = refined([draft(rows, policy, start, config)], config)
    parts = [draft(part, policy, start, config) for part in (rows[cut:], rows[:cut])]
    assert refined(parts, config) == whole
    noisy = [row["confidence"] for row in whole.values() if row["is_noisy"]]
    rest = [row["confidence"] for row in whole.values() if not row["is_noisy"]]
    assert not noisy or not rest or max(noisy) <= min(rest)


def test_a_pair_that_cannot_be_weighed_is_turned_away() -> None:
    rows = [pair_row("a", "fine", "long"), pair_row("b", "fine", "odd"), pair_row("c", "fine", "x")]
    failure = Failure("x", "context_length", "too long", "raw bytes")
    policy: dict[str, float | Failure] = {"fine": -1.0, "long": -1.0, "odd": -math.inf, "x": -1.0}
    result = draft(rows, policy, {**policy, "odd": -1.0, "long": failure}, settings())
    assert [row["row_id"] for row in result.rows] == ["c"]
    assert [(r.row_id, r.code, r.raw) for r in result.rejects] == [
        ("a", "engine_context_length", "raw bytes"),
        ("b", "not_finite", "fine\n\nodd"),
    ]


def test_without_models_the_labellers_own_confidence_counts() -> None:
    alone = Config(noisy_share=0.5)
    rows = [pair_row("a", "x", "y", p_chosen=0.9), pair_row("b", "x", "y", p_chosen=0.6)]
    rows.append(pair_row("c", "x", "y", p_chosen=None))
    drafted = run(batch_for(STAGE, rows), alone, FakeContext({}))
    found = refined([drafted], alone)
    assert {row_id: row["label_smoothing"] for row_id, row in found.items()} == {"a": 0, "b": 0.1}
    assert found["a"]["confidence"] == 0.9
    assert [(r.row_id, r.code, r.raw) for r in drafted.rejects] == [
        ("c", "no_confidence", "x\n\ny")
    ]
    assert STAGE.needs(alone) == ()


@pytest.mark.parametrize("settings", [{"model": "policy"}, {"reference": "start"}])
def test_one_model_alone_says_nothing(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="both or none"):
        Config.model_validate(settings)


def test_it_needs_two_models_that_weigh_texts() -> None:
    score = frozenset(("score",))
    assert STAGE.needs(settings()) == (
        Need("model", "policy", score),
        Need("reference", "start", score),
    )
