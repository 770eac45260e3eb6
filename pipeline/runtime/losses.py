"""How much a step may lose to engine failures, and taking back what was lost beyond that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.reports import StepReport
from schemas.errors import TooManyLosses
from schemas.rejects import is_engine_code

_FIRST_LOOK = 200
"""Rows that are counted at least before a step is stopped in the middle for its losses."""


def too_many(total: StepReport, limit: float, *, whole: bool) -> bool:
    """Whether a step lost more than a share of `limit`; in the middle, surely so."""
    rows = total.rows_in if whole else max(total.rows_in, _FIRST_LOOK)
    return total.failed > limit * rows


def losses(step: KeyedStep, total: StepReport, limit: float) -> TooManyLosses:
    """The error that ends a run which lost too much."""
    reasons = {code: n for code, n in total.rejects.items() if is_engine_code(code)}
    return TooManyLosses(
        f"step `{step.step.name}` lost {total.failed} of {total.rows_in} rows to engine "
        f"failures ({reasons}); the recipe allows {limit:.0%} (limits.max_failed_share). "
        "Those parts will be done again when the run is resumed."
    )


def take_back(steps: Sequence[KeyedStep], step: KeyedStep, parts: Iterable[int]) -> None:
    """Forget parts of a step that is not closed yet, and what later steps made of them."""
    behind = {step.number}
    for other in steps:
        if other.number in behind or other.parent in behind:
            behind.add(other.number)
            for part in parts:
                other.folder.discard(part)
                other.folder.drafts().discard(part)
