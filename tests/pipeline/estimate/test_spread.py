"""Numbers with intervals: honest for few rows, narrow for many."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.estimate.spread import Spread, exactly, mean_error, share, total

positive = st.floats(0.001, 1e6)


@st.composite
def spreads(draw: st.DrawFn) -> Spread:
    low, value, high = sorted(draw(st.tuples(positive, positive, positive)))
    return Spread(value, low, high)


def ordered(spread: Spread) -> bool:
    return spread.low <= spread.value * (1 + 1e-9) and spread.value <= spread.high * (1 + 1e-9)


@given(st.integers(1, 500), st.data())
def test_a_share_lies_in_its_interval(rows: int, data: st.DataObject) -> None:
    most = data.draw(st.integers(1, 6))
    out = data.draw(st.integers(0, rows * most))
    found = share(rows, out, most)
    assert ordered(found) and found.low >= 0 and found.high <= most
    assert found.value == pytest.approx(out / rows)


def test_few_rows_that_all_stay_prove_little() -> None:
    few, many = share(8, 8), share(8000, 8000)
    assert (few.value, few.high) == (1.0, 1.0)
    assert few.low == pytest.approx(0.676, abs=0.001)  # Wilson: 1 / (1 + 1.96^2 / 8)
    assert many.low > 0.999


def test_what_one_row_becomes_is_as_uncertain_as_all_or_nothing() -> None:
    assert share(8, 8, most=2).low == pytest.approx(2 * share(8, 4).low)


@given(spreads(), spreads())
def test_a_product_is_known_less_well_than_its_factors(a: Spread, b: Spread) -> None:
    product = a.times(b)
    assert ordered(product)
    assert product.value == pytest.approx(a.value * b.value)
    for factor in (a, b):
        assert product.high / product.value >= factor.high / factor.value * (1 - 1e-9)
        assert product.low / product.value <= factor.low / factor.value * (1 + 1e-9)


@given(spreads(), positive)
def test_a_certain_factor_only_scales(a: Spread, factor: float) -> None:
    product, scaled = a.times(exactly(factor)), a.scaled(factor)
    for one, other in zip(
        (product.value, product.low, product.high),
        (scaled.value, scaled.low, scaled.high),
        strict=True,
    ):
        assert one == pytest.approx(other)


def test_nothing_times_something_is_nothing() -> None:
    assert Spread(0.0, 0.0, 2.0).times(exactly(3)) == Spread(0.0, 0.0, 6.0)


def test_a_low_end_of_zero_stays_zero() -> None:
    assert Spread(1.0, 0.0, 2.0).times(exactly(3)).low == 0.0


def test_parts_of_one_run_rise_and_fall_together() -> None:
    assert total([Spread(2, 1, 3), Spread(5, 5, 5)]) == Spread(7, 6, 8)
    assert Spread(2, 1, 3).plus(1) == Spread(3, 2, 4)
    assert Spread(20, 10, 30).at_most(15) == Spread(15, 10, 15)


def test_the_error_of_a_mean_shrinks_with_the_root_of_the_values() -> None:
    few, many = mean_error(4, 0.5), mean_error(400, 0.5)
    assert math.isclose((few.high - 1) / (many.high - 1), 10)
    assert mean_error(100, 0.0) == exactly(1.0)
