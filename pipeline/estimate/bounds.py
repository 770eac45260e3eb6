"""What a recipe says of its size before anything was run: upper bounds, and nothing of speed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.estimate.forecast import StepForecast, kept_by
from pipeline.estimate.spread import Spread
from pipeline.runtime.keyed import KeyedStep


def bound_steps(steps: Sequence[KeyedStep], source_rows: int) -> list[StepForecast]:
    """The most that each step can come to, as far as its settings say."""
    out: list[Spread | None] = []
    found = []
    for step in steps:
        rows_in = _most(source_rows) if step.parent is None else out[step.parent]
        rows_out = None if step.step.stage.effect == "expand" else rows_in
        keep = kept_by(step)
        if rows_out is not None and isinstance(keep, int):
            rows_out = _most(min(rows_out.high, keep))
        out.append(rows_out)
        asked = _requests(step)
        limit = getattr(step.step.config, "max_tokens", None)
        tokens = None if asked is None or limit is None else asked * limit
        found.append(
            StepForecast(
                step.step.name,
                rows_in,
                rows_out,
                requests=None if rows_in is None or asked is None else _most(rows_in.high * asked),
                sampled=None if rows_in is None or tokens is None else _most(rows_in.high * tokens),
                bound=True,
            )
        )
    return found


def _most(value: float) -> Spread:
    return Spread(value, 0.0, value)


def _requests(step: KeyedStep) -> int | None:
    """Requests for a row in, where settings tell: none without a model, `n` samples of each."""
    config = step.step.config
    if not step.specs:
        return 0
    if not hasattr(config, "max_tokens"):
        return None  # e.g. a judge's depend on how many answers are left
    samples = getattr(config, "n", 1) + bool(getattr(config, "baseline", False))
    return int(samples) * len(step.specs)
