"""How large a shift is, in words.

Cohen (1988, "Statistical Power Analysis for the Behavioral Sciences") calls a difference of 0.2,
0.5 and 0.8 standard deviations small, medium and large, and so 0.1, 0.3 and 0.5 of w, which is
Cramer's V where there are two sides. A difference of d between two normal distributions of equal
spread is a Kolmogorov-Smirnov distance of 2 Phi(d / 2) - 1: hence the limits for numbers.

What chance alone would exceed one time in twenty is no shift: by Kolmogorov's limit distribution
(1.358 sqrt(1/n + 1/m)) for numbers, by the chi-squared one for categories.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from pipeline.compare.structure import Words

_SIZES: tuple[Words, ...] = ("negligible", "small", "medium", "large")
_D = (0.2, 0.5, 0.8)
_W = (0.1, 0.3, 0.5)
_CHANCE = 0.05
_KOLMOGOROV = math.sqrt(-math.log(_CHANCE / 2) / 2)

DISTANCES = tuple(2 * NormalDist().cdf(d / 2) - 1 for d in _D)
"""From which Kolmogorov-Smirnov distance a shift is small, medium and large."""


def of_numbers(distance: float, n_old: int, n_new: int) -> Words:
    """The word for a Kolmogorov-Smirnov distance between so many values."""
    return _word(distance, DISTANCES, _KOLMOGOROV * math.sqrt(1 / n_old + 1 / n_new))


def of_categories(v: float, n: int, n_values: int) -> Words:
    """The word for a Cramer's V of two sides, over `n` rows and so many values."""
    from scipy.special import chdtri

    by_chance = float(chdtri(n_values - 1, _CHANCE)) if n_values > 1 else 0.0
    return _word(v, _W, math.sqrt(by_chance / n))


def _word(size: float, limits: Sequence[float], by_chance: float) -> Words:
    if not size:
        return "none"
    if size <= by_chance:
        return "chance"
    return _SIZES[sum(size >= limit for limit in limits)]
