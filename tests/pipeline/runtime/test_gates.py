"""Figures held to bounds: absolute ones, and those relative to the last release."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.runtime.gates import check_gates
from pipeline.runtime.measured import Measured
from schemas.errors import GateFailed
from schemas.recipe import GateRule, Gates

NUMBERS = st.floats(-1e6, 1e6).filter(lambda x: not 0 < abs(x) < 1e-6)
SHARES = st.floats(0, 3)


def passes(value: float, before: float | None = None, **bounds: float) -> bool:
    """Whether a figure passes one rule."""
    gates = Gates(rules=[GateRule(figure="dpo.x", **bounds)])
    last = None if before is None else {"dpo.x": before}
    try:
        check_gates(gates, Measured({"dpo.x": value}), last)
    except GateFailed:
        return False
    return True


@given(NUMBERS, SHARES)
def test_what_did_not_change_passes(value: float, share: float) -> None:
    assert passes(value, value, max_drop=share, max_rise=share)


@given(NUMBERS, NUMBERS, SHARES)
def test_a_drop_is_the_rise_of_the_opposite(value: float, before: float, share: float) -> None:
    assert passes(value, before, max_drop=share) == passes(-value, -before, max_rise=share)


@given(NUMBERS, st.floats(1e-6, 1e6), SHARES)
def test_of_positive_figures_a_share_is_a_factor(value: float, before: float, share: float) -> None:
    assume(abs(value / before - (1 - share)) > 1e-6)
    assert passes(value, before, max_drop=share) == (value / before > 1 - share)


@given(NUMBERS, NUMBERS, SHARES, SHARES)
def test_a_wider_bound_lets_no_less_through(
    value: float, before: float, one: float, other: float
) -> None:
    narrow, wide = sorted((one, other))
    assert not passes(value, before, max_drop=narrow) or passes(value, before, max_drop=wide)


@given(NUMBERS, SHARES)
def test_no_share_of_zero_leads_anywhere(value: float, share: float) -> None:
    assert passes(value, 0.0, max_drop=share) == (value >= 0)
    assert passes(value, 0.0, max_rise=share) == (value <= 0)


def test_a_negative_figure_drops_downwards() -> None:
    assert passes(-0.3, -0.2, max_drop=0.5)
    assert not passes(-0.31, -0.2, max_drop=0.5)
    assert passes(5.0, -0.2, max_drop=0.0)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_absolute_bounds_need_no_last_release(value: float, low: float, high: float) -> None:
    assume(low <= high)
    assert passes(value, min=low, max=high) == (low <= value <= high)


def test_all_failures_are_told_at_once_with_value_limit_and_the_last_value() -> None:
    gates = Gates(
        min_rows=30,
        rules=[
            GateRule(figure="dpo.margin.mean", min=0.5, max_drop=0.1),
            GateRule(figure="dpo.ties", max=0.2),
            GateRule(figure="dpo.longer_preferred", max=0.9),
            GateRule(figure="audit.ratings.a.Elo", min=1),
        ],
    )
    measured = Measured(
        {"dpo.rows": 24, "dpo.margin.mean": 0.4, "dpo.ties": 0.25, "dpo.longer_preferred": 0.6},
        {"audit.ratings": "all answers are by one model"},
    )
    with pytest.raises(GateFailed) as failed:
        check_gates(gates, measured, {"dpo.margin.mean": 0.6})
    assert str(failed.value).splitlines()[:-1] == [
        "gate min_rows: dpo.rows is 24, the recipe asks for at least 30",
        "gate dpo.margin.mean: 0.4 is below 0.5 (min); the last release had 0.6",
        "gate dpo.margin.mean: 0.4 is below 0.54 (max_drop 0.1); the last release had 0.6",
        "gate dpo.ties: 0.25 is above 0.2 (max)",
        "gate audit.ratings.a.Elo: it cannot be had: all answers are by one model",
    ]


def test_min_rows_looks_at_configs_only() -> None:
    measured = Measured({"dpo.rows": 5, "steps.a.rows_in": 0, "steps.rows.rows_out": 0})
    assert check_gates(Gates(min_rows=5), measured) == []


def test_without_a_last_release_relative_rules_pass_with_a_note() -> None:
    gates = Gates(rules=[GateRule(figure="dpo.x", max_drop=0.1)])
    (note,) = check_gates(gates, Measured({"dpo.x": 1.0}))
    assert "dpo.x" in note and "no last release" in note
    (note,) = check_gates(gates, Measured({"dpo.x": 1.0}), {"dpo.y": 1.0})
    assert "the last release does not have it" in note
    assert check_gates(gates, Measured({"dpo.x": 1.0}), {"dpo.x": 1.0}) == []


def test_a_reason_for_which_nothing_was_lost_is_zero_and_not_missing() -> None:
    rule = GateRule(figure="steps.dedup.rejects.duplicate", max=0.1)
    measured = Measured({"steps.dedup.rows_in": 10})
    assert check_gates(Gates(rules=[rule]), measured) == []
    with pytest.raises(GateFailed, match="no row came into the step"):
        check_gates(
            Gates(rules=[rule]),
            Measured({"steps.dedup.rows_in": 0}, {"steps.dedup": "no row came into the step"}),
        )
