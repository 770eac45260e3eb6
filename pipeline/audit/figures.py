"""What every figure of an audit is: a value with its count and interval, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["share", "number", "count"]

CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True, slots=True)
class Value:
    """One figure.

    Attributes:
        value: None if it cannot be had; then `unknown` says why. Never a filler.
        n: how many pairs, answers or judgements it rests on.
        low, high: ends of the 95 % interval, where there is one.
        kind: `share` is of 1 and shown in per cent; `count` is a whole number.
    """

    value: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None
    kind: Kind = "number"
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of one subject: a labeller, two labellers, a model, a factor.

    Attributes:
        group: what several subjects belong to, e.g. the labeller that factors are weighed for.
    """

    subject: str
    values: Mapping[str, Value]
    group: str = ""

    @property
    def name(self) -> str:
        """Group and subject, unique in a section."""
        return f"{self.group}: {self.subject}" if self.group else self.subject


@dataclass(frozen=True, slots=True)
class Section:
    """Figures that belong together.

    Attributes:
        key: its name in JSON.
        title: its name on the page.
        meaning: how the figures are made and read, for people.
        lines: each with the same figures; none if `unknown` says why there are none.
    """

    key: str
    title: str
    meaning: str
    lines: tuple[Line, ...] = ()
    unknown: str = ""


def unknown(reason: str, n: int = 0) -> Value:
    """A figure that cannot be had."""
    return Value(None, n, unknown=reason)


def count(n: int) -> Value:
    """How many."""
    return Value(n, n, kind="count")


def share(part: int, whole: int, nothing: str) -> Value:
    """A share with Wilson's interval; `nothing` is the reason if there is nothing to share."""
    if not whole:
        return unknown(nothing)
    from scipy.stats import binomtest

    interval = binomtest(part, whole).proportion_ci(CONFIDENCE, method="wilson")
    return Value(part / whole, whole, float(interval.low), float(interval.high), "share")
