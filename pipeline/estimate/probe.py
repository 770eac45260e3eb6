"""Measuring a plan on a few rows: what they become, what they cost, how fast it goes.

A stage's first task of a kind pays for imports and compiled kernels, which more rows do not pay
again. So each task is performed again and again, its models answering from memory, and the fastest
counts. As a part takes some time whatever is in it, and so does a decision, the same is done with
fewer rows: what a row adds is the difference.
"""

from __future__ import annotations

import math
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.estimate.evidence import Measured, Pace, seen
from pipeline.estimate.full_model import Calls, MeasuringPool
from pipeline.folders import Folder, LocalFolder
from pipeline.recipe.plan import Plan
from pipeline.runtime.executors import InlineExecutor
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.model_pool import Tell, tell_nobody
from pipeline.runtime.store import StepFolder
from pipeline.runtime.task import PartTask
from pipeline.runtime.trial import run_trial
from pipeline.runtime.worker import perform
from schemas.errors import PrefmillError

_TRIES = 8
_ENOUGH_S = 1.0


@dataclass
class StepClock:
    """Seconds of a step: of its own work, of a part at least, of deciding, of that at least."""

    other_s: float = 0.0
    part_s: float = 0.0
    alone_s: float = 0.0
    once_s: float = 0.0
    calls: Calls = field(default_factory=Calls)


class MeasuringExecutor(InlineExecutor):
    """Runs tasks in this process and times them warm."""

    def __init__(self, pool: MeasuringPool, tell: Tell) -> None:
        super().__init__(tell)
        self.clocks: defaultdict[str, StepClock] = defaultdict(StepClock)
        self._pool = pool

    def close(self) -> None:
        """Close the open engine."""
        self._pool.close()

    def _perform(self, task: PartTask) -> Any:
        clock = self.clocks[task.step]
        self._pool.calls = clock.calls
        if task.phase == "decide":
            whole, half = self._decide(task, 1), self._decide(task, 2)
            clock.alone_s += whole
            clock.once_s += max(2 * half - whole, 0.0)
        value = perform(task, self._tell, self._pool)
        if task.phase in ("run", "sketch", "apply"):
            whole = self._timed(task)
            clock.other_s += whole
            if (rows := _rows(task)) > 1:
                one = min(self._one_row(task), whole)
                clock.part_s += max(one - (whole - one) / (rows - 1), 0.0)
        return value

    def _timed(self, task: PartTask) -> float:
        return _fastest(lambda: self._seconds(task))

    def _seconds(self, task: PartTask) -> float:
        """Of the clock; where others use the machine too, of its own processor time."""
        clock, processor = time.perf_counter(), time.process_time()
        perform(task, tell_nobody, self._pool)
        return min(time.perf_counter() - clock, time.process_time() - processor)

    def _one_row(self, task: PartTask) -> float:
        with tempfile.TemporaryDirectory(prefix="prefmill-probe-") as scratch:
            return self._timed(_first_row(task, LocalFolder(Path(scratch))))

    def _decide(self, task: PartTask, share: int) -> float:
        """Seconds of a decision on one of `share` parts of the rows; 0 if so few will not do."""
        return _fastest(lambda: self._decide_once(task, share))

    def _decide_once(self, task: PartTask, share: int) -> float:
        with tempfile.TemporaryDirectory(prefix="prefmill-probe-") as scratch:
            copy = Path(scratch) / "step"
            shutil.copytree(task.folder.folder.url, copy)
            folder = StepFolder(LocalFolder(copy), task.folder.key)
            earlier = [folder.decisions(task.turn - 1)] if task.turn else []
            for kept in (folder.sketches(task.turn), *earlier):
                for part in task.parts:
                    rows = kept.read_rows(part)
                    kept.commit_plain(part, rows.slice(0, -(-rows.num_rows // share)))
            try:
                return self._seconds(replace(task, folder=folder))
            except PrefmillError:
                if share > 1:
                    return 0.0
                raise


def _fastest(seconds: Callable[[], float]) -> float:
    """The least of some tries, of fewer if one takes long."""
    best, started = math.inf, time.perf_counter()
    for number in range(_TRIES):
        best = min(best, seconds())
        if number and time.perf_counter() - started > _ENOUGH_S:
            break
    return best


def _rows(task: PartTask) -> int:
    report = task.input.committed(task.part) if task.input is not None else None
    return report.rows_in if report is not None else task.size


def _first_row(task: PartTask, scratch: Folder) -> PartTask:
    """The same task with the first row of its part alone, and with folders of its own."""
    key = task.folder.key
    folder = StepFolder(scratch.child("step"), key)
    rounds = (task.turn - 1, task.turn) if task.turn else (task.turn,)
    for there, here in [
        (task.folder.drafts(), folder.drafts()),
        *((task.folder.decisions(turn), folder.decisions(turn)) for turn in rounds),
    ]:
        if there.committed(task.part) is not None:
            here.commit_plain(task.part, there.read_rows(task.part).slice(0, 1))
    for place in task.folder.given().parts_there():
        folder.given().commit_plain(place, task.folder.given().read_rows(place))
    if task.input is None:
        return replace(task, folder=folder, size=1)
    rows = StepFolder(scratch.child("input"), task.input.key)
    rows.commit_plain(task.part, task.input.read_rows(task.part).slice(0, 1))
    return replace(task, folder=folder, input=rows)


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
        other_s=max(clock.other_s - clock.part_s, 0.0),
        part_s=clock.part_s,
        alone_s=max(clock.alone_s - clock.once_s, 0.0),
        once_s=clock.once_s,
        asked=calls.asked,
        in_flight=calls.in_flight,
        deviation=_deviation(calls.tokens),
    )


def _deviation(tokens: list[int]) -> float:
    if len(tokens) < 2 or not sum(tokens):
        return 0.0
    return statistics.stdev(tokens) / statistics.fmean(tokens)
