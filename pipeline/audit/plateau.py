"""The exponential plateau, by which win rates grow with the share of the data that is trained on.

R(x) = r - (r - a) exp(-b x), x in per cent of the data: a is where the model starts, r where it
ends, b how fast (Khera et al., 2024, "Efficient Alignment of LLMs via Data Sampling", PMLR 262).

At a given rate the curve is linear in what is left, so the rate alone is searched, over a grid that
spans everything from a straight line to a step, and no start has to be guessed. Intervals are
profile likelihood: all values that some curve has whose sum of squares is not significantly above
the best one's. The usual alternatives fail on the five or six points that such a study has: the
delta method takes the curve for a plane, and gives a plateau that was never reached a finite
interval; resampled points too often leave fewer different shares than parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.figures import CONFIDENCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

N_PARAMETERS = 3
_RATES = 4000
_STRAIGHT, _STEP = 1e-3, 40.0
"""Of rate times distance: below the first a curve is a line, above the second it has arrived."""


@dataclass(frozen=True, slots=True)
class Point:
    """One training run: `share` of the data in per cent, win rate in per cent, its error if known.

    `error` is the standard error of the win rate, in points.
    """

    share: float
    win_rate: float
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the ends of its 95 % interval; None where the points set no such end."""

    value: float
    low: float | None
    high: float | None

    @property
    def is_bounded(self) -> bool:
        """Whether the points bound it on both sides."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True)
class Plateau:
    """A fitted curve.

    Attributes:
        plateau: r, in per cent.
        start: a, in per cent.
        rate: b, per per cent of the data.
        needed: share of the data, in per cent, from which the curve is within `loss` of its
            plateau; it may be above 100. None if the curve falls.
        loss: in points.
        scatter: root of the mean squared residual, three degrees of freedom taken off; with
            standard errors given, in units of these.
    """

    plateau: Estimate
    start: Estimate
    rate: Estimate
    needed: Estimate | None
    loss: float
    scatter: float


def win_rate(share: float, plateau: float, start: float, rate: float) -> float:
    """The curve at a share in per cent."""
    return plateau - (plateau - start) * math.exp(-rate * share)


def share_needed(plateau: float, start: float, rate: float, loss: float) -> float:
    """From which share in per cent a rising curve is within `loss` points of its plateau.

    0 if it starts there; more than 100 if all of the data is not enough.
    """
    return max(0.0, math.log((plateau - start) / loss) / rate)


def fit_plateau(points: Sequence[Point], loss: float) -> Plateau:
    """Fit the curve by least squares, weighted by the errors where every point has one.

    Args:
        points: of at least four different shares.
        loss: above 0.
    """
    import numpy as np

    shares, rates = (
        np.array([getattr(p, name) for p in points], float) for name in ("share", "win_rate")
    )
    errors = [p.error for p in points if p.error is not None]
    is_known = len(errors) == len(points)
    weights = np.array(errors, float) ** -2 if is_known else np.ones(len(points))
    problem = _Problem(shares, rates, weights)
    grid = np.geomspace(*_range_of_rates(shares), _RATES)
    best = _best_rate(problem, grid)
    grid = np.sort(np.append(grid, best))
    lines = problem.lines(grid)
    at = int(np.searchsorted(grid, best))
    spare = len(points) - N_PARAMETERS
    least = float(lines.squares[at])
    limit = least + _allowance(least, spare, is_known)
    scatter = math.sqrt(least / spare)
    return _estimates(lines, at, limit, loss, scatter)


def _range_of_rates(shares: Floats) -> tuple[float, float]:
    """The slowest and the fastest rate that these shares can tell from a line and from a step."""
    import numpy as np

    spread = float(shares.max() - shares.min())
    second = float(np.unique(shares)[1] - shares.min())
    return _STRAIGHT / spread, _STEP / second


def _best_rate(problem: _Problem, grid: Floats) -> float:
    import numpy as np
    from scipy.optimize import minimize_scalar

    def squares(log_rate: float) -> float:
        return float(problem.lines(np.exp([log_rate])).squares[0])

    at = int(np.argmin(problem.lines(grid).squares))
    around = np.log(grid[[max(at - 1, 0), min(at + 1, len(grid) - 1)]])
    found = minimize_scalar(squares, bounds=around, method="bounded", options={"xatol": 1e-10})
    return float(np.exp(found.x)) if found.fun < squares(np.log(grid[at])) else float(grid[at])


def _allowance(least: float, spare: int, is_known: bool) -> float:
    """By how much the sum of squares of a curve inside the interval may exceed the least one."""
    from scipy.stats import chi2, f

    if is_known:
        return float(chi2.ppf(CONFIDENCE, 1))
    return least / spare * float(f.ppf(CONFIDENCE, 1, spare))


@dataclass(frozen=True, slots=True)
class _Lines:
    """The best curve at each rate, as R(x) = r - drop exp(-b (x - first)), and how sharp it is.

    Attributes:
        rates, ends, drops: b, r, and r - R(first), where `first` is the least share.
        squares: weighted sums of squares.
        var_end, var_drop, cov: of r and drop, for errors of variance 1 / weight.
    """

    first: float
    rates: Floats
    ends: Floats
    drops: Floats
    squares: Floats
    var_end: Floats
    var_drop: Floats
    cov: Floats


@dataclass(frozen=True, slots=True)
class _Problem:
    shares: Floats
    win_rates: Floats
    weights: Floats

    def lines(self, rates: Floats) -> _Lines:
        """Weighted linear regression of the win rates on exp(-b (x - first)), for every b."""
        import numpy as np

        first, w = float(self.shares.min()), self.weights
        falls = np.exp(-rates[:, None] * (self.shares - first))
        mean_fall, mean_rate = falls @ w / w.sum(), float(self.win_rates @ w / w.sum())
        # 1 - exp(-bx) without cancellation: at slow rates all falls are close to 1.
        gone = -np.expm1(-rates[:, None] * (self.shares - first))
        centred = (gone @ w / w.sum())[:, None] - gone
        spread = centred**2 @ w
        drops = -(centred * (self.win_rates - mean_rate)) @ w / spread
        ends = mean_rate + drops * mean_fall
        residuals = self.win_rates - mean_rate + drops[:, None] * centred
        var_drop = 1 / spread
        return _Lines(
            first,
            rates,
            ends,
            drops,
            residuals**2 @ w,
            1 / w.sum() + mean_fall**2 * var_drop,
            var_drop,
            mean_fall * var_drop,
        )


def _estimates(lines: _Lines, best: int, limit: float, loss: float, scatter: float) -> Plateau:
    """The best curve's values, each with the ends that it has over all curves below the limit."""
    import numpy as np

    inside = lines.squares <= limit
    room = np.sqrt(np.maximum(limit - lines.squares, 0))
    # A step before the first share may have started anywhere.
    back = np.exp(np.minimum(lines.rates * lines.first, _LARGEST_EXPONENT))
    var_start = lines.var_end + back**2 * lines.var_drop - 2 * back * lines.cov
    reach = room * np.sqrt(lines.var_drop)
    is_line, is_step = bool(inside[0]), bool(inside[-1])
    may_rise = bool((lines.drops + reach)[0] > 0)
    may_fall = bool((lines.drops - reach)[0] < 0)
    end_reach = room * np.sqrt(lines.var_end)
    start_reach = room * np.sqrt(np.maximum(var_start, 0))
    starts = lines.ends - back * lines.drops
    away = is_step and lines.first > 0
    return Plateau(
        _hull(lines.ends, end_reach, inside, best, is_line and may_fall, is_line and may_rise),
        _hull(starts, start_reach, inside, best, away, away),
        _hull(lines.rates, 0 * room, inside, best, is_line, is_step),
        _needed(lines, reach, inside, best, loss, is_line),
        loss,
        scatter,
    )


_LARGEST_EXPONENT = 300.0
"""Its square is still a float."""


def _hull(
    values: Floats, reach: Floats, inside: Mask, best: int, open_low: bool, open_high: bool
) -> Estimate:
    low, high = (values - reach)[inside].min(), (values + reach)[inside].max()
    ends = None if open_low else float(low), None if open_high else float(high)
    return Estimate(float(values[best]), *ends)


def _needed(
    lines: _Lines, reach: Floats, inside: Mask, best: int, loss: float, is_line: bool
) -> Estimate | None:
    import numpy as np

    if lines.drops[best] <= 0:
        return None

    def shares(drops: Floats) -> Floats:
        risen = np.maximum(drops, np.finfo(float).tiny)
        return np.maximum(lines.first + np.log(risen / loss) / lines.rates, 0)

    low, high = shares(lines.drops - reach)[inside].min(), shares(lines.drops + reach)[inside].max()
    value = float(shares(lines.drops)[best])
    return Estimate(value, float(low), None if is_line else float(high))
