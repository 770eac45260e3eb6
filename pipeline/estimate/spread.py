"""Numbers that are known from few rows, with how far off they may be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_Z = 1.96
"""Intervals are of 95 per cent."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A value and the interval in which the true one lies, probably."""

    value: float
    low: float
    high: float

    def times(self, other: Spread) -> Spread:
        """The product of two that know nothing of each other: relative errors add as squares."""
        value = self.value * other.value
        if value <= 0:
            return Spread(value, 0.0, self.high * other.high)
        below = math.hypot(_ratio(self.value, self.low), _ratio(other.value, other.low))
        above = math.hypot(_ratio(self.high, self.value), _ratio(other.high, other.value))
        return Spread(value, value * math.exp(-below), value * math.exp(above))

    def scaled(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(self.value * factor, self.low * factor, self.high * factor)

    def plus(self, constant: float) -> Spread:
        """With something that is certain."""
        return Spread(self.value + constant, self.low + constant, self.high + constant)

    def at_most(self, cap: float) -> Spread:
        """With a limit that is certain."""
        return Spread(min(self.value, cap), min(self.low, cap), min(self.high, cap))


def exactly(value: float) -> Spread:
    """A number that is known."""
    return Spread(value, value, value)


def total(parts: Iterable[Spread]) -> Spread:
    """The sum of numbers that rise and fall together, as those of one run do."""
    found = list(parts)
    return Spread(
        sum(p.value for p in found), sum(p.low for p in found), sum(p.high for p in found)
    )


def share(rows_in: int, rows_out: int, most: int = 1) -> Spread:
    """Rows out for each row in, by Wilson's interval.

    What a row becomes lies between no row and `most`, so it varies at most as if it were all or
    nothing, which is what the interval is of: with few rows it is wide, though all were alike.
    """
    seen = min(rows_out / (rows_in * most), 1.0)
    z2 = _Z * _Z
    middle = (seen + z2 / (2 * rows_in)) / (1 + z2 / rows_in)
    half = _Z * math.sqrt(seen * (1 - seen) / rows_in + z2 / (4 * rows_in**2)) / (1 + z2 / rows_in)
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return Spread(seen * most, min(low, seen) * most, max(high, seen) * most)


def mean_error(values: int, relative_deviation: float) -> Spread:
    """A mean of so many values, in units of itself, given their deviation in the same units."""
    error = _Z * relative_deviation / math.sqrt(max(values, 1))
    return Spread(1.0, 1 / (1 + error), 1 + error)


def _ratio(larger: float, smaller: float) -> float:
    """The log of how many times one is the other."""
    return math.log(larger / smaller) if smaller > 0 else math.inf
