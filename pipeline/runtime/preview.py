"""A few rows followed through every step of a plan, without writing a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.dataset.layouts.choose import Wish, choose_views
from pipeline.dataset.layouts.record import CannotHold
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.recipe.plan import Plan
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.trial import rows_there, run_trial
from schemas.columns import LINEAGE, ROW_ID
from schemas.errors import PrefmillError

Row = dict[str, Any]

_IDENTITY = (ROW_ID.name, LINEAGE.name)


@dataclass(frozen=True, slots=True)
class Change:
    """What a step made of one row, or the row that it made.

    Attributes:
        added: columns that were not there before.
        changed: columns with another value now, and what they were.
        dropped: columns that are gone.
    """

    added: Row
    changed: dict[str, tuple[Any, Any]]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """One step on a row's way.

    Attributes:
        rows: what is left of the source row after the step, and how each came to be.
        rejects: what the step turned away of it: `code`, `message`, `raw`, and `response_id` if
            that was one answer.
    """

    step: str
    stage: str
    is_export: bool
    rows: list[Change] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Journey:
    """A source row and all that came of it.

    Attributes:
        lost_at: the step after which nothing of it was left; None if it was exported, or if the
            steps ended before it did.
    """

    row_id: str
    stops: list[Stop]
    lost_at: str | None


@dataclass(frozen=True, slots=True)
class StepSum:
    """A step in numbers."""

    step: str
    stage: str
    rows_in: int
    rows_out: int
    rejects: Mapping[str, int]
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What became of a few rows.

    Attributes:
        error: what ended it early; the steps before are shown.
        waiting: the steps that it did not come to.
    """

    name: str
    journeys: list[Journey]
    steps: list[StepSum]
    error: PrefmillError | None
    waiting: tuple[str, ...]


def preview_rows(plan: Plan, folder: Path, listener: Listener) -> Preview:
    """Run the plan in `folder` and follow each row of its source.

    Raises:
        InputError: a model does not exist.
        EngineUnavailable: no engine here can run a model.
    """
    trial = run_trial(plan, folder, listener)
    done = [step for step in trial.steps if step.folder.report() is not None]
    waiting = tuple(step.step.name for step in trial.steps if step not in done)
    followed = _Followed()
    for step in done:
        followed.add(step)
    for config, layout in plan.views:
        for step in done:
            if step.is_export and step.config_name == config:
                followed.add_view(step, layout)
    sums = [_sum(step) for step in done]
    return Preview(plan.recipe.name, followed.journeys(), sums, trial.error, waiting)


def _sum(step: KeyedStep) -> StepSum:
    report = step.folder.report()
    assert report is not None, "only complete steps are added up"
    rejects = dict(sorted(report.rejects.items(), key=lambda item: -item[1]))
    return StepSum(
        step.step.name,
        step.step.stage.name,
        report.rows_in,
        report.rows_out,
        rejects,
        step.folder.figures(),
    )


class _Followed:
    """Steps so far: what each made of which source row."""

    def __init__(self) -> None:
        self._tables: dict[int, dict[str, Row]] = {}
        self._roots: dict[str, str] = {}
        self._stops: dict[str, list[Stop]] = {}

    def journeys(self) -> list[Journey]:
        """By source row, in the order of the source."""
        return [Journey(root, stops, _lost_at(stops)) for root, stops in self._stops.items()]

    def add(self, step: KeyedStep) -> None:
        """A step that is complete, those before it being known."""
        rows = self._tables[step.number] = _rows(step)
        before = {} if step.parent is None else self._tables[step.parent]
        here = Stop(step.step.name, step.step.stage.name, step.is_export)
        for table in step.folder.rejects():
            for reject in table.to_pylist():
                self._stop(reject[ROW_ID.name], here).rejects.append(reject)
        for row_id, row in rows.items():
            parent = row_id if row_id in before else _parent(row)
            self._roots.setdefault(row_id, self._roots.get(parent, row_id))
            self._stop(row_id, here).rows.append(_change(before.get(parent, {}), row))

    def add_view(self, step: KeyedStep, layout: str) -> None:
        """What an exported row looks like in a consumer's layout, or why it cannot be held."""
        rows = self._tables[step.number]
        columns = [column.name for column in step.step.stage.writes]
        wish = Wish(step.config_name)
        here = Stop(f"{layout}: {step.config_name}", layout, is_export=True)
        for choice in choose_views({step.config_name: columns}, LAYOUTS[layout], wish):
            for row_id, row in rows.items():
                stop = self._stop(row_id, here)
                try:
                    stop.rows.append(Change(choice.view.make(row), {}, ()))
                except CannotHold as fault:
                    reject = {"row_id": row_id, "code": "cannot_hold", "message": str(fault)}
                    stop.rejects.append(reject)

    def _stop(self, row_id: str, here: Stop) -> Stop:
        """The stop of a row's source row at a step; a new one like `here` if there is none yet."""
        stops = self._stops.setdefault(self._roots.setdefault(row_id, row_id), [])
        if not stops or stops[-1].step != here.step:
            stops.append(Stop(here.step, here.stage, here.is_export))
        return stops[-1]


def _rows(step: KeyedStep) -> dict[str, Row]:
    table = rows_there(step)
    return {} if table is None else {row[ROW_ID.name]: row for row in table.to_pylist()}


def _parent(row: Row) -> str:
    lineage = row.get(LINEAGE.name) or ()
    return str(lineage[-1][ROW_ID.name]) if lineage else str(row[ROW_ID.name])


def _change(before: Row, after: Row) -> Change:
    shown = {name: value for name, value in after.items() if name not in _IDENTITY}
    return Change(
        {name: value for name, value in shown.items() if name not in before},
        {
            name: (before[name], value)
            for name, value in shown.items()
            if name in before and before[name] != value
        },
        tuple(name for name in before if name not in after and name not in _IDENTITY),
    )


def _lost_at(stops: list[Stop]) -> str | None:
    return stops[-1].step if not stops[-1].rows else None


def preview_json(found: Preview) -> dict[str, Any]:
    """For `--json`.

    `journeys`: of each source row `row_id`, `lost_at`, and by step what is left of it (`rows`, each
    with `added`, `changed` as {before, after}, `dropped`) and its `rejects`. `steps`: rows in and
    out, rejects by reason, figures. `error`: what ended it early, with the steps not reached.
    """
    return {
        "name": found.name,
        "journeys": [
            {
                "row_id": journey.row_id,
                "lost_at": journey.lost_at,
                "steps": [_stop_json(stop) for stop in journey.stops],
            }
            for journey in found.journeys
        ],
        "steps": [
            {
                "step": each.step,
                "stage": each.stage,
                "rows_in": each.rows_in,
                "rows_out": each.rows_out,
                "rejects": dict(each.rejects),
                "figures": dict(each.figures),
            }
            for each in found.steps
        ],
        "error": None if found.error is None else str(found.error),
        "not_reached": list(found.waiting),
    }


def _stop_json(stop: Stop) -> dict[str, Any]:
    return {
        "step": stop.step,
        "stage": stop.stage,
        "rows": [
            {
                "added": row.added,
                "changed": {
                    name: {"before": before, "after": after}
                    for name, (before, after) in row.changed.items()
                },
                "dropped": list(row.dropped),
            }
            for row in stop.rows
        ],
        "rejects": stop.rejects,
    }
