"""Measuring a plan on a few rows: what they become, what they cost, how fast it goes."""

from __future__ import annotations

import shutil
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.estimate.evidence import Measured, Pace, seen
from pipeline.estimate.full_model import Calls, MeasuringPool
from pipeline.folders import LocalFolder
from pipeline.recipe.plan import Plan
from pipeline.runtime.executors import InlineExecutor
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.model_pool import Tell, tell_nobody
from pipeline.runtime.store import StepFolder
from pipeline.runtime.task import PartTask
from pipeline.runtime.trial import run_trial
from pipeline.runtime.worker import perform


@dataclass
class StepClock:
    """Seconds of a step: of its own work, of deciding alone, and what its models did."""

    other_s: float
    alone_s: float
    calls: Calls


class MeasuringExecutor(InlineExecutor):
    """Runs tasks in this process and times them warm.

    A stage's first task of a kind pays for imports and compiled kernels, which more rows do not pay
    again. So each task is performed twice, and the second is timed: its models answer from memory.
    """

    def __init__(self, pool: MeasuringPool, tell: Tell) -> None:
        super().__init__(tell)
        self.clocks: defaultdict[str, StepClock] = defaultdict(lambda: StepClock(0.0, 0.0, Calls()))
        self._pool = pool

    def close(self) -> None:
        """Close the open engine."""
        self._pool.close()

    def _perform(self, task: PartTask) -> Any:
        clock = self.clocks[task.step]
        self._pool.calls = clock.calls
        if task.phase == "decide":
            _rehearse(task, self._pool)
            value, clock.alone_s = self._timed(task, clock.alone_s)
            return value
        value = perform(task, self._tell, self._pool)
        _, clock.other_s = self._timed(task, clock.other_s)
        return value

    def _timed(self, task: PartTask, before: float) -> tuple[Any, float]:
        started = time.perf_counter()
        value = perform(task, tell_nobody, self._pool)
        return value, before + time.perf_counter() - started


def _rehearse(task: PartTask, pool: MeasuringPool) -> None:
    """Decide on a copy, which deciding uses up."""
    folder = Path(task.folder.folder.url)
    copy = folder.with_name(f"{folder.name}-rehearsal")
    shutil.copytree(folder, copy)
    try:
        perform(
            replace(task, folder=StepFolder(LocalFolder(copy), task.folder.key)), tell_nobody, pool
        )
    finally:
        shutil.rmtree(copy)


def probe(
    plan: Plan, rows: int, all_rows: int | None, folder: Path, listener: Listener
) -> Measured:
    """Carry out a plan that is limited to `rows` and say what it came to.

    Args:
        plan: its source gives at most `rows`.
        all_rows: rows of the source in the run itself; None if that is not known.
        folder: an empty one, for the work.

    Raises:
        InputError: a model or an input file does not exist.
        EngineUnavailable: no engine here can run a model.
    """
    pool = MeasuringPool(growth=None if all_rows is None else all_rows / rows)
    executors: list[MeasuringExecutor] = []

    def start(tell: Tell) -> MeasuringExecutor:
        executors.append(MeasuringExecutor(pool, tell))
        return executors[-1]

    trial = run_trial(plan, folder, listener, start)
    (executor,) = executors or [MeasuringExecutor(pool, tell_nobody)]
    found = {step.step.name: seen(step, _pace(step, executor)) for step in trial.steps}
    stopped = (f"the probe ended early: {trial.error}",) if trial.error else ()
    return Measured(
        f"a probe of {rows} row{'s' if rows > 1 else ''}",
        {name: evidence for name, evidence in found.items() if evidence is not None},
        dict(pool.starts),
        stopped,
    )


def _pace(step: KeyedStep, executor: MeasuringExecutor) -> Pace | None:
    report, clock = step.folder.report(), executor.clocks.get(step.step.name)
    if report is None or clock is None:
        return None
    calls = clock.calls
    return Pace(
        rows=report.rows_in,
        engine_s=calls.seconds,
        other_s=clock.other_s,
        alone_s=clock.alone_s,
        asked=calls.asked,
        in_flight=calls.in_flight,
        deviation=_deviation(calls.tokens),
    )


def _deviation(tokens: list[int]) -> float:
    if len(tokens) < 2 or not sum(tokens):
        return 0.0
    return statistics.stdev(tokens) / statistics.fmean(tokens)
