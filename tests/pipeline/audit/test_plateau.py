"""The curve and its fit, against the published fits and against chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.plateau import Estimate, Plateau, Point, fit_plateau, share_needed, win_rate

PUBLISHED = {
    "hh": (83.1681, 18.2681, 0.3),
    "oasst": (24.6601, 8.4452, 0.02),
    "ultrafeedback": (27.4849, 7.6038, 0.055),
}
"""Plateau, start and rate of Khera et al., 2024."""
SHARES = (0, 1, 3.5, 10, 25, 50, 75, 100)


def on_the_curve(*curve: float, error: float | None = None) -> list[Point]:
    return [Point(share, win_rate(share, *curve), error) for share in SHARES]


@pytest.mark.parametrize(
    ("data", "share", "expected"),
    [
        ("hh", 10, 79.94),
        ("hh", 3.5, 60.5),
        ("oasst", 10, 11.38),
        ("ultrafeedback", 25, 22.46),
    ],
)
def test_the_curve_at_published_shares(data: str, share: float, expected: float) -> None:
    assert win_rate(share, *PUBLISHED[data]) == pytest.approx(expected, abs=0.06)


def test_the_share_within_a_point_of_the_plateau() -> None:
    needed = {name: share_needed(*curve, loss=1) for name, curve in PUBLISHED.items()}
    assert needed["hh"] == pytest.approx(13.9, abs=0.05)
    assert needed["ultrafeedback"] == pytest.approx(54, abs=0.5)
    assert needed["oasst"] > 100


def test_who_starts_near_the_plateau_needs_nothing() -> None:
    assert share_needed(20, 19.5, 0.1, loss=1) == 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_points_on_a_curve_give_it_back(name: str) -> None:
    plateau, start, rate = PUBLISHED[name]
    fit = fit_plateau(on_the_curve(plateau, start, rate), loss=1)
    assert fit.plateau.value == pytest.approx(plateau, rel=1e-6)
    assert fit.start.value == pytest.approx(start, rel=1e-6)
    assert fit.rate.value == pytest.approx(rate, rel=1e-6)
    assert fit.needed is not None
    assert fit.needed.value == pytest.approx(share_needed(plateau, start, rate, 1), rel=1e-6)
    assert fit.scatter == pytest.approx(0, abs=1e-6)


def contains(estimate: Estimate | None, value: float) -> bool:
    assert estimate is not None
    low = -np.inf if estimate.low is None else estimate.low
    high = np.inf if estimate.high is None else estimate.high
    return bool(low <= value <= high)


@pytest.mark.parametrize("error", [None, 1.5])
def test_intervals_hold_the_truth_nineteen_times_in_twenty(error: float | None) -> None:
    rng, curve, runs = np.random.default_rng(3), PUBLISHED["ultrafeedback"], 200
    truth = (*curve, share_needed(*curve, loss=1))
    held = np.zeros(4)
    for _ in range(runs):
        noisy = [
            Point(p.share, p.win_rate + rng.normal(0, 1.5), p.error)
            for p in on_the_curve(*curve, error=error)
        ]
        fit = fit_plateau(noisy, loss=1)
        estimates = (fit.plateau, fit.start, fit.rate, fit.needed)
        held += [contains(*pair) for pair in zip(estimates, truth, strict=True)]
    # Three standard errors of a share of 0.95 in 200 runs.
    assert (held / runs > 0.95 - 0.046).all()
    assert (held / runs < 1).all()


def test_a_straight_line_has_no_plateau() -> None:
    bumps = (0.1, -0.1, 0.1, -0.1, 0.1)
    points = [
        Point(x, 10 + 0.2 * x + bump) for x, bump in zip(range(0, 50, 10), bumps, strict=True)
    ]
    fit = fit_plateau(points, loss=1)
    assert fit.rate.low is None
    assert fit.plateau.high is None
    assert fit.plateau.low is not None and fit.plateau.low > 18
    assert fit.needed is not None and fit.needed.high is None


def test_points_on_the_plateau_tell_no_start() -> None:
    points = [Point(x, 60 + e) for x, e in ((20, 0.1), (40, -0.1), (60, 0.05), (80, 0.0))]
    fit = fit_plateau(points, loss=1)
    assert fit.rate.high is None
    assert (fit.start.low, fit.start.high) == (None, None)


def test_a_falling_curve_needs_no_share() -> None:
    fit = fit_plateau([Point(p.share, 100 - p.win_rate) for p in on_the_curve(60, 20, 0.1)], 1)
    assert fit.needed is None
    assert fit.plateau.value == pytest.approx(40, abs=1e-4)


def test_a_precise_point_weighs_more() -> None:
    def fit(errors: tuple[float, ...]) -> Plateau:
        rates = (8.0, 15.0, 20.0, 24.0, 20.0)
        shares = (0, 10, 25, 50, 100)
        return fit_plateau([Point(*p) for p in zip(shares, rates, errors, strict=True)], 1)

    low, high = fit((1, 1, 1, 9, 0.1)), fit((1, 1, 1, 0.1, 9))
    assert low.plateau.value < high.plateau.value


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 100)),
        min_size=4,
        max_size=10,
        unique_by=lambda point: point[0],
    ),
    st.permutations(range(10)),
)
def test_whatever_the_points_no_end_lies_on_the_wrong_side(
    drawn: list[tuple[int, int]], order: list[int]
) -> None:
    points = [Point(*point) for point in drawn]
    fit = fit_plateau(points, loss=1)
    for estimate in (fit.plateau, fit.start, fit.rate, *([fit.needed] if fit.needed else [])):
        assert estimate.low is None or estimate.low <= estimate.value + 1e-9
        assert estimate.high is None or estimate.high >= estimate.value - 1e-9
    mixed = [points[i] for i in order if i < len(points)]
    assert fit_plateau(mixed, loss=1).scatter == pytest.approx(fit.scatter, rel=1e-4, abs=1e-6)
