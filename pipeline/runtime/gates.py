"""Quality gates: figures held to their bounds before anything is published.

`max_drop` and `max_rise` are shares of the size |v| of the last release's figure v:

    fails if value < v - max_drop * |v|,  or if value > v + max_rise * |v|

So a drop is always downwards, also from a negative figure: from -0.2 with `max_drop: 0.5` down to
-0.3 passes. From zero no share of it leads anywhere: any drop, or rise, fails. A value on the limit
passes, as far as rounding can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.runtime.measured import Measured
from schemas.errors import GateFailed
from schemas.figures import ROWS
from schemas.recipe import GateRule, Gates

_ROUNDING = 1e-9
"""Relative to the last release's figure."""
_ADVICE = (
    "No dataset was written; one that was there is as it was. See the reasons with "
    "`prefmill status DIR --rejects`, and all figures with `--json`; mend the recipe, or change "
    "the gate."
)


@dataclass(frozen=True, slots=True)
class _Bound:
    """One bound of a rule: what it is called, where it lies, on which side a value fails."""

    name: str
    limit: float
    is_least: bool
    slack: float = 0.0

    def fails(self, value: float) -> bool:
        """Whether a value is out of bounds."""
        beyond = self.limit - value if self.is_least else value - self.limit
        return beyond > self.slack


def check_gates(
    gates: Gates, measured: Measured, last: Mapping[str, float] | None = None
) -> list[str]:
    """Hold figures to their bounds; `last` are those of the last release, if there is one.

    Returns:
        Notes: which relative bounds could not be held against anything, and passed.

    Raises:
        GateFailed: figures are out of bounds, or cannot be had; tells all of them, with value,
            limit and what the last release had.
    """
    failed = list(_few_rows(gates.min_rows, measured))
    notes = []
    for rule in gates.rules:
        failed += _failures(rule, measured, last or {})
        if _is_relative(rule) and rule.figure not in (last or {}):
            reason = "the last release does not have it" if last else "there is no last release"
            notes.append(f"gate {rule.figure}: {reason}; `max_drop` and `max_rise` hold from now")
    if failed:
        raise GateFailed("\n".join([*(f"gate {line}" for line in failed), _ADVICE]))
    return notes


def _is_relative(rule: GateRule) -> bool:
    return rule.max_drop is not None or rule.max_rise is not None


def _few_rows(least: int, measured: Measured) -> Iterator[str]:
    for name, value in measured.values.items():
        if name.split(".")[1:] == [ROWS] and value < least:
            yield f"min_rows: {name} is {value:.0f}, the recipe asks for at least {least}"


def _failures(rule: GateRule, measured: Measured, last: Mapping[str, float]) -> Iterator[str]:
    name = rule.figure
    value, before = measured.value(name), last.get(name)
    if value is None:
        yield f"{name}: it cannot be had: {measured.why(name)}"
        return
    told = "" if before is None else f"; the last release had {before:.6g}"
    for bound in _bounds(rule, before):
        if bound.fails(value):
            side = "below" if bound.is_least else "above"
            yield f"{name}: {value:.6g} is {side} {bound.limit:.6g} ({bound.name}){told}"


def _bounds(rule: GateRule, before: float | None) -> Iterator[_Bound]:
    if rule.min is not None:
        yield _Bound("min", rule.min, is_least=True)
    if rule.max is not None:
        yield _Bound("max", rule.max, is_least=False)
    if before is None:
        return
    size = abs(before)
    if rule.max_drop is not None:
        limit = before - rule.max_drop * size
        yield _Bound(f"max_drop {rule.max_drop:g}", limit, is_least=True, slack=_ROUNDING * size)
    if rule.max_rise is not None:
        limit = before + rule.max_rise * size
        yield _Bound(f"max_rise {rule.max_rise:g}", limit, is_least=False, slack=_ROUNDING * size)
