"""What an earlier run in the output folder measured: of this recipe, or with other source rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.engines.base import ModelSpec
from pipeline.estimate.evidence import Evidence, Measured, Pace, seen
from pipeline.files import read_json
from pipeline.recipe.plan import Plan
from pipeline.recipe.resolve_steps import source_cap
from pipeline.runtime.console import duration
from pipeline.runtime.event_log import read_log
from pipeline.runtime.history import history_path
from pipeline.runtime.keyed import KeyedStep, key_steps, work_folder

_SHORT_S = 60.0
"""A run that took less says little of speed."""


def read_earlier(plan: Plan, specs: dict[str, ModelSpec], out: Path) -> Measured | None:
    """Steps of the run in `out` that would come to the same here; None if there are none.

    A run of the same recipe with more or fewer source rows is as good as a half-done one.
    """
    run = read_json(out / "run.json")
    if run is None or not run.get("recipe", {}).get("stages"):
        return None
    recipe = run["recipe"]
    as_then = _with_rows_of(plan, recipe["stages"][0])
    steps = key_steps(as_then, specs, work_folder(plan, out))
    then = {entry["step"]: entry["key"] for entry in run.get("steps", ())}
    workers = recipe.get("placement", {}).get("workers", 1)
    paces, starts = _paces(out, steps, max(workers, 1))
    found: dict[str, Evidence] = {}
    for step in steps:
        name = step.step.name
        evidence = seen(step, paces.get(name)) if then.get(name) == step.key else None
        if evidence is not None:
            found[name] = evidence
    if not found:
        return None
    rows = next(iter(found.values())).report.rows_in
    took = sum(evidence.pace.seconds for evidence in found.values() if evidence.pace)
    short = f"the run in {out} took {duration(took)}, of which starting up is a part that more rows"
    notes = (f"{short} would not pay again; --probe times without it",) if took < _SHORT_S else ()
    return Measured(f"the run in {out}, of {rows:,} source rows", found, starts, notes)


def _with_rows_of(plan: Plan, stage: Mapping[str, Any]) -> Plan:
    """The plan with as many source rows as an earlier recipe asked for."""
    source = plan.steps[0]
    cap = source_cap(source.stage)
    if cap is None:
        return plan
    default = source.stage.config.model_fields[cap].get_default()
    config = source.config.model_copy(update={cap: stage.get(cap, default)})
    return replace(plan, steps=(replace(source, config=config), *plan.steps[1:]))


@dataclass(frozen=True, slots=True)
class _Span:
    """When a step was worked on, its models open: seconds of the clock."""

    step: str
    began: float
    ended: float
    rows: int


def _paces(
    out: Path, steps: Sequence[KeyedStep], workers: int
) -> tuple[dict[str, Pace], dict[str, float]]:
    """By step how fast it was when it was last completed; by role how long opening took."""
    keyed = {step.key: step for step in steps}
    runs: dict[str, list[_Span]] = {}
    starts: dict[str, float] = {}
    for event in read_log(history_path(out)):
        step = keyed.get(event.get("key", ""))
        if event["event"] != "step_closed" or step is None or not event["rows_worked"]:
            continue
        ended = datetime.fromisoformat(event["time"]).timestamp()
        began = ended - event["wall_s"] + event["loading_s"]
        span = _Span(step.step.name, began, ended, event["rows_worked"])
        runs.setdefault(event["run"], []).append(span)
        if event["loading_s"]:
            each = event["loading_s"] / max(len(step.specs), 1)
            starts.update(dict.fromkeys(step.specs, each))
    paces = {}
    for spans in runs.values():
        for span, seconds in zip(spans, _shares(spans), strict=True):
            paces[span.step] = Pace(span.rows, engine_s=seconds, workers=workers)
    return paces, starts


def _shares(spans: Sequence[_Span]) -> list[float]:
    """Seconds of each span, where several overlap an equal share: their sum is what passed."""
    edges = sorted({edge for span in spans for edge in (span.began, span.ended)})
    shares = [0.0] * len(spans)
    for left, right in pairwise(edges):
        at = [i for i, span in enumerate(spans) if span.began <= left and right <= span.ended]
        for place in at:
            shares[place] += (right - left) / len(at)
    return shares
