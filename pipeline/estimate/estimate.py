"""The estimate of a run: what was measured, carried over to all of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Machine, this_machine
from pipeline.estimate.bounds import bound_steps
from pipeline.estimate.evidence import Measured
from pipeline.estimate.forecast import StepForecast, forecast_steps
from pipeline.estimate.full_model import at_once
from pipeline.estimate.run_cost import Crew, RunCost, run_cost
from pipeline.inputs.readers import count_records
from pipeline.recipe.groups import GENERAL
from pipeline.recipe.plan import Plan
from pipeline.runtime.fleet import teams
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.stations import stations
from schemas.stage import Positions

_UNKNOWN_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will come to.

    Attributes:
        source_rows: of the source; if `assumed`, a round number, as its length is not known.
        measured: what it goes by; None: by the recipe alone, and all numbers are upper bounds.
        done: rows of each step that are in the output folder already, by name.
        notes: what the user should know.
    """

    source_rows: int
    assumed: bool
    measured: Measured | None
    steps: tuple[StepForecast, ...]
    cost: RunCost
    done: Mapping[str, int]
    specs: Mapping[str, ModelSpec]
    notes: tuple[str, ...]


def source_rows(plan: Plan) -> int | None:
    """Rows that the source of a plan takes in; None if only the hub knows.

    Raises:
        InputError: a file of the source that cannot be used.
    """
    source = plan.steps[0]
    assert source.stage.feed is not None, "compiling made sure that it is a source"
    feed = source.stage.feed(source.config)
    return feed.count if isinstance(feed, Positions) else count_records(feed, plan.base)


def estimate(
    plan: Plan,
    steps: Sequence[KeyedStep],
    specs: Mapping[str, ModelSpec],
    rows: int | None,
    measured: Measured | None,
) -> Estimate:
    """Carry over what was measured to a source of `rows`.

    Args:
        steps: as the run would key them; their folders say what of it is done.
        rows: None if that is not known.
        measured: None to have the bounds that the recipe sets.
    """
    count = rows if rows is not None else _UNKNOWN_ROWS
    part_rows = plan.recipe.placement.part_rows
    machine = this_machine(any(spec.has_weights for spec in specs.values()))
    if measured is None:
        found = bound_steps(steps, count)
    else:
        found = forecast_steps(steps, measured, count, part_rows)
    cost = run_cost(
        steps,
        found,
        stations(plan, specs),
        _crews(plan, specs, machine),
        measured.starts if measured else {},
        max(-(-count // part_rows), 1),
    )
    notes = measured.notes if measured else ()
    if measured is not None:
        notes = (*notes, *_notes(plan, steps, found, measured, machine))
    done = {step.step.name: _rows_done(step) for step in steps}
    return Estimate(
        count, rows is None, measured, tuple(found), cost, done, specs, (*notes, *cost.notes)
    )


def _rows_done(step: KeyedStep) -> int:
    report = step.folder.report()
    if report is not None:
        return report.rows_in
    there = (step.folder.committed(part) for part in step.folder.parts_there())
    return sum(report.rows_in for report in there if report is not None)


def _crews(plan: Plan, specs: Mapping[str, ModelSpec], machine: Machine) -> dict[str, Crew]:
    placement = plan.recipe.placement
    found = {}
    for team in teams(plan, specs, machine):
        # On a CPU engines take each other's cores: two are not faster than one.
        alone = team.has_weights and not machine.on_gpu
        hands = min(team.workers, len(machine.cores))
        engines = 1 if alone else team.workers
        found[team.group] = Crew(engines, 1 if alone else hands, team.workers * team.split)
    if not found and placement.scheduler is None:
        workers = max(placement.workers, 1)
        found[GENERAL] = Crew(workers, workers, workers)
    return found


def _notes(
    plan: Plan,
    steps: Sequence[KeyedStep],
    forecasts: Sequence[StepForecast],
    measured: Measured,
    machine: Machine,
) -> list[str]:
    pairs = zip(steps, forecasts, strict=True)
    notes = [note for step, forecast in pairs for note in _filling(step, forecast, measured)]
    inner = (step.step for step in steps if not step.is_export)
    whole = [step.name for step in inner if step.stage.dataset_pass and step.name in measured.steps]
    if whole:
        notes.append(
            f"{', '.join(whole)}: all rows are decided on together. Time and rows are scaled as if "
            "each row stood alone; among few rows there are few duplicates, so more may go"
        )
    if plan.recipe.placement.scheduler is not None:
        notes.append("how many workers the scheduler has is not known here: the times are of one")
    prices = (spec.placement.price for step in steps for spec in step.specs.values())
    if not machine.on_gpu and any(price and price.per_gpu_hour for price in prices):
        notes.append("no GPU is used here: `per_gpu_hour` is taken for the hour of a worker")
    return notes


def _filling(step: KeyedStep, forecast: StepForecast, measured: Measured) -> list[str]:
    """Where the run keeps an engine fuller than it was when it was timed."""
    evidence = measured.steps.get(step.step.name)
    pace = evidence.pace if evidence else None
    most = max((at_once(s) for s in step.specs.values() if s.engine != "scripted"), default=0)
    if pace is None or forecast.rows_in is None or not step.specs:
        return []
    if pace.in_flight is None and pace.rows < forecast.rows_in.value:
        return [f"{step.step.name}: timed with {pace.rows:,} rows; with more an engine is faster"]
    if not pace.in_flight:
        return []
    in_run = pace.asked * forecast.rows_in.value / pace.rows
    if pace.in_flight >= min(most, round(in_run)):
        return []
    return [
        f"{step.step.name}: timed with {pace.in_flight} requests at once; the engine takes up to "
        f"{most}, and is faster with more"
    ]
