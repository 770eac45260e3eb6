"""What each step of a run will come to, from what was seen of it on fewer rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.estimate.evidence import Evidence, Measured
from pipeline.estimate.spread import Spread, exactly, mean_error, share
from pipeline.runtime.keyed import KeyedStep


@dataclass(frozen=True, slots=True)
class StepForecast:
    """What one step will come to. None is what cannot be said; `why` says why not.

    Attributes:
        requests, read, sampled: requests to models, and tokens in and out of them.
        engine_s, other_s, alone_s: seconds on one worker; see `pipeline.estimate.evidence.Pace`.
        nbytes: of its work on disk.
        bound: the numbers are upper bounds, from the recipe alone.
    """

    name: str
    rows_in: Spread | None = None
    rows_out: Spread | None = None
    requests: Spread | None = None
    read: Spread | None = None
    sampled: Spread | None = None
    engine_s: Spread | None = None
    other_s: Spread | None = None
    alone_s: Spread | None = None
    nbytes: Spread | None = None
    why: str = ""
    bound: bool = False


@dataclass(frozen=True, slots=True)
class _Flow:
    """Rows on their way: `seen` of them were measured, `now` of those are left.

    The interval is taken from where rows were last certain, not step by step: what a row becomes
    in several steps is still one of few draws.
    """

    base: Spread
    seen: int
    now: int
    most: int = 1
    last: Spread | None = None


def forecast_steps(
    steps: Sequence[KeyedStep], measured: Measured, source_rows: int, part_rows: int
) -> list[StepForecast]:
    """Extrapolate what was measured to a source of so many rows."""
    parts = -(-source_rows // part_rows)
    flows: list[_Flow | None] = []
    found: list[StepForecast] = []
    for step in steps:
        flow = _first(source_rows, measured, step) if step.parent is None else flows[step.parent]
        evidence = measured.steps.get(step.step.name)
        if flow is None or evidence is None:
            why = "" if flow is None else "it was not reached"
            rows_in = flow.last if flow else None
            found.append(StepForecast(step.step.name, rows_in, why=why))
            flows.append(None)
            continue
        forecast, after = _forecast(step, flow, evidence, parts)
        found.append(forecast)
        flows.append(after)
    return found


def _first(source_rows: int, measured: Measured, step: KeyedStep) -> _Flow:
    evidence = measured.steps.get(step.step.name)
    rows = evidence.report.rows_in if evidence else 0
    base = exactly(source_rows)
    return _Flow(base, rows, rows, last=base)


def _forecast(
    step: KeyedStep, flow: _Flow, evidence: Evidence, parts: int
) -> tuple[StepForecast, _Flow | None]:
    rows_in, report = flow.last, evidence.report
    assert rows_in is not None, "rows that go on are counted"
    if report.rows_in != flow.now:  # an earlier run did not come as far here as above
        flow = _Flow(rows_in, report.rows_in, report.rows_in, last=rows_in)
    after = _onward(step, flow, evidence)
    why = ""
    if after is None:
        reasons = ", ".join(f"{code} {count}" for code, count in report.rejects.items())
        rows = f"{report.rows_in} row{'s' if report.rows_in > 1 else ''}"
        why = f"none of {rows} was left after it" + (f" ({reasons})" if reasons else "")
    found = StepForecast(step.step.name, rows_in, after.last if after else None, why=why)
    return _costs(found, rows_in, evidence, parts), after


def _onward(step: KeyedStep, flow: _Flow, evidence: Evidence) -> _Flow | None:
    """The rows after a step; None if nothing can be said of them."""
    report = evidence.report
    kept = _kept(step, flow)
    if kept is not None:
        return _Flow(kept, report.rows_out, report.rows_out, last=kept) if report.rows_out else None
    if not report.rows_out:
        return None
    if step.is_export:  # an exporter turns nothing away
        assert flow.last is not None
        last = flow.last.scaled(report.rows_out / report.rows_in)
        return replace(flow, now=report.rows_out, last=last)
    most = flow.most * evidence.most
    last = flow.base.times(share(flow.seen, report.rows_out, most))
    return replace(flow, now=report.rows_out, most=most, last=last)


def _kept(step: KeyedStep, flow: _Flow) -> Spread | None:
    """Rows that a selection keeps because it is told how many, or which share."""
    keep = kept_by(step)
    if keep is None or flow.last is None:
        return None
    return flow.last.at_most(keep) if isinstance(keep, int) else flow.last.scaled(keep)


def kept_by(step: KeyedStep) -> int | float | None:
    """The setting `keep` of a selection."""
    keep = getattr(step.step.config, "keep", None)
    is_selection = step.step.stage.effect == "filter" and isinstance(keep, int | float)
    return keep if is_selection else None


def _costs(found: StepForecast, rows_in: Spread, evidence: Evidence, parts: int) -> StepForecast:
    report, usage, pace = evidence.report, evidence.report.usage, evidence.pace
    each = rows_in.scaled(1 / report.rows_in)
    deviation = pace.deviation if pace else 0.0
    error = mean_error(usage.requests, deviation)
    costs = replace(
        found,
        requests=each.scaled(usage.requests),
        read=each.scaled(usage.prompt_tokens),
        sampled=each.scaled(usage.sampled_tokens).times(error),
        nbytes=each.scaled(evidence.nbytes).plus(parts * evidence.nbytes_part),
    )
    if pace is None:
        return replace(costs, why=costs.why or "nobody saw how long it took")
    paced = rows_in.scaled(1 / pace.rows)
    return replace(
        costs,
        engine_s=paced.scaled(pace.engine_s * pace.workers).times(error),
        other_s=paced.scaled(pace.other_s * pace.workers).plus(parts * pace.part_s),
        alone_s=paced.scaled(pace.alone_s).plus(pace.once_s),
    )
