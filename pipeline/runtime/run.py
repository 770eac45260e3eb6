"""The one loop: performs what `pipeline.runtime.state` decides, and feeds back what happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pipeline.recipe.plan import Plan
from pipeline.runtime import moves
from pipeline.runtime.executors import Executor, Outcome
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.losses import losses, take_back, too_many
from pipeline.runtime.model_pool import Tell
from pipeline.runtime.opening import Opening, open_step
from pipeline.runtime.partfile import FORMAT
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.rounds import Verdict
from pipeline.runtime.state import RunState, Shape
from pipeline.runtime.store import packing
from pipeline.runtime.task import PartTask
from pipeline.runtime.worker import give_up
from schemas.errors import EngineDied, Interrupted, TooManyLosses
from schemas.stage import Positions

_TICK_S = 0.2


@dataclass
class Ledger:
    """What is known of a step while it is worked on.

    Attributes:
        parts: how many it has.
        starts, sizes: for a source, the first row and the rows of each part.
        total: sums over its committed parts.
        seen: sums over the parts run this time, also those that wait for a decision.
        nbytes: size of each committed part.
        failed: parts that lost rows to engine failures.
        files: the parts of each file that they are packed into.
        packed: of each such file, the lengths of its parts.
        turn: which round of its dataset pass it is in.
        figures: what that came to.
        through: parts that are through each phase of it but the last.
    """

    parts: int = 0
    starts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    total: StepReport = field(default_factory=StepReport)
    seen: StepReport = field(default_factory=StepReport)
    nbytes: dict[int, int] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    files: list[range] = field(default_factory=list)
    packed: dict[int, list[int]] = field(default_factory=dict)
    turn: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)
    through: dict[moves.Phase, int] = field(default_factory=dict)

    def take(self, verdict: Verdict) -> None:
        """Note what a round of its dataset pass came to."""
        self.turn = verdict.turn + verdict.again
        self.figures = verdict.figures

    def add(self, report: PartReport) -> None:
        """Count a committed part."""
        self.total = self.total.plus(report)
        self.nbytes[report.part] = report.nbytes
        if report.failed:
            self.failed.append(report.part)

    def see(self, report: PartReport) -> None:
        """Note a part that was just run."""
        self.seen = self.seen.plus(report)
        if report.failed:
            self.failed.append(report.part)


@dataclass
class Runner:
    """A run in progress.

    Attributes:
        steps: steps and exports, in order.
        shapes: of each, what decides its order.
        start_executor: called when there is work to do, and only then, with whom to tell.
        stop_asked: true once the user wants to stop.
    """

    plan: Plan
    steps: list[KeyedStep]
    shapes: Sequence[Shape]
    start_executor: Callable[[Tell], Executor]
    listener: Listener
    stop_asked: Callable[[], bool]
    executor: Executor | None = None
    error: BaseException | None = None
    _workers: dict[str, int] = field(default_factory=dict)
    _hung: dict[str, str] = field(default_factory=dict)
    _lost: dict[int, set[int]] = field(default_factory=dict)
    _stop_told: bool = False

    def __post_init__(self) -> None:
        limit = self.plan.recipe.limits.max_quarantined_parts
        self._machine = RunState(self.shapes, limit)
        self._ledgers = [Ledger() for _ in self.steps]

    def run(self) -> None:
        """Work until every step is complete.

        Raises:
            Interrupted: stopped by the user; what was committed stays.
            TooManyLosses: more lost than the recipe allows, or a part that kills workers.
            PrefmillError: whatever a stage or an engine could not get past.
        """
        events: deque[moves.Event] = deque([moves.Started()])
        try:
            while True:
                event = events.popleft() if events else self._await_event()
                if self.stop_asked() and not self._stop_told:
                    # Before the event, which might otherwise begin something new.
                    self._stop_told = True
                    events.appendleft(event)
                    event = moves.StopAsked()
                for instruction in self._machine.handle(event):
                    if isinstance(instruction, moves.End):
                        return self._end(instruction)
                    events.extend(self._perform(instruction))
        finally:
            if self.executor is not None:
                self.executor.close()

    # -- what happened ----------------------------------------------------------------------

    def _hear(self, message: dict[str, Any]) -> None:
        """Take a worker's message, from any thread."""
        if "hung" in message:
            self._hung[message["task"]] = message["hung"]
        else:
            self.listener.tell(message)

    def _await_event(self) -> moves.Event:
        assert self.executor is not None, "what is waited for runs on workers"
        while True:
            self.listener.tick()
            if changed := self._changed_group():
                return changed
            outcome = self.executor.wait(_TICK_S)
            if outcome is not None:
                return self._event(outcome)
            if self.stop_asked() and not self._stop_told:
                self._stop_told = True
                return moves.StopAsked()

    def _changed_group(self) -> moves.Workers | None:
        assert self.executor is not None
        live = self.executor.workers()
        for group in sorted({shape.group for shape in self.shapes}):
            # One that has none gets work all the same, for which the executor then misses them.
            count = live.get(group, 0) or 1
            if self._workers.get(group) != count:
                self._workers[group] = count
                self.listener.workers(sum(live.values()), self.executor.dashboard_link)
                return moves.Workers(group, count)
        return None

    def _event(self, outcome: Outcome) -> moves.Event:
        task = outcome.task
        number = next(step.number for step in self.steps if step.step.name == task.step)
        where = (number, task.phase, task.part)
        if outcome.died or isinstance(outcome.error, EngineDied):
            cause = "its worker process died" if outcome.died else str(outcome.error)
            cause = self._hung.pop(task.id, cause)
            again = self._machine.will_try_again(*where)
            self.listener.part_lost(self.steps[number], task.part, cause, again)
            return moves.Died(*where)
        if outcome.error is not None:
            self.error = self.error or outcome.error
            return moves.Failed(*where)
        return self._done(number, outcome)

    def _done(self, number: int, outcome: Outcome) -> moves.Event:
        task, value = outcome.task, outcome.value
        where = (number, task.phase, task.part)
        if task.phase == "decide":
            return self._decided(number, *value)
        if task.phase == "pack":
            self._ledgers[number].packed[task.part] = value
        elif task.phase == "sketch":
            self._passed(number, "sketch", value)
        elif not self._reported(number, task.phase, value):
            return moves.Failed(*where)
        return moves.Done(*where, outcome.queue)

    def _reported(self, number: int, phase: moves.Phase, report: PartReport) -> bool:
        """Take the report of a part; False if too much is lost by now."""
        step, ledger = self.steps[number], self._ledgers[number]
        if phase == "run":
            ledger.see(report)
        self._count(number, phase, report)
        if lost := too_many(ledger.seen, self.plan.recipe.limits, whole=False):
            self._lose(step, ledger.seen)
        return not lost

    def _count(self, number: int, phase: moves.Phase, report: PartReport) -> None:
        """A part is done, or, with a dataset pass, has been run."""
        step = self.steps[number]
        if phase == "run" and step.step.stage.dataset_pass:
            self._passed(number, phase, report.seconds)
        else:
            self._ledgers[number].add(report)
            self.listener.part_done(step, report)

    def _decided(self, number: int, verdict: Verdict, seconds: float) -> moves.Event:
        step, ledger = self.steps[number], self._ledgers[number]
        ledger.take(verdict)
        for note in verdict.notes:
            self.listener.warn(f"{step.step.name}: {note}")
        self.listener.passed(step, "decide", ledger.parts, seconds)
        if verdict.again:
            ledger.through["sketch"] = 0
            self.listener.passed(step, "sketch", 0, None)
        return moves.Decided(number, verdict.again)

    def _passed(self, number: int, phase: moves.Phase, seconds: float) -> None:
        through = self._ledgers[number].through
        through[phase] = through.get(phase, 0) + 1
        self.listener.passed(self.steps[number], phase, through[phase], seconds)

    def _lose(self, step: KeyedStep, total: StepReport) -> None:
        """Note that a step lost too much; its parts are taken back once nothing is in flight."""
        self._lost[step.number] = set(self._ledgers[step.number].failed)
        self.error = self.error or losses(step, total, self.plan.recipe.limits)

    # -- what to do -------------------------------------------------------------------------

    def _perform(self, instruction: moves.Instruction) -> list[moves.Event]:
        match instruction:
            case moves.Open(step):
                return [self._open(self.steps[step])]
            case moves.Staff():
                self.executor = self.start_executor(self._hear)
            case moves.Submit(step, phase, part, alone):
                assert self.executor is not None, "staffed before anything is submitted"
                self.executor.submit(self._task(self.steps[step], phase, part), alone)
            case moves.GiveUp(step, part):
                return [self._give_up(self.steps[step], part)]
            case moves.Pack(step):
                return [self._pack(self.steps[step])]
            case moves.Close(step):
                return [self._close(self.steps[step])]
        return []

    def _open(self, step: KeyedStep) -> moves.Event:
        ledger = self._ledgers[step.number]
        if step.parent is None:
            found = open_step(step, None, 0, self.plan)
        else:
            above = self.steps[step.parent].folder
            found = open_step(step, above, self._ledgers[step.parent].parts, self.plan)
        if found.dataset_pass.decided:
            ledger.take(found.dataset_pass.decided)
        ledger.parts, ledger.sizes = found.parts, found.sizes
        ledger.starts = list(accumulate(found.sizes, initial=0))
        if found.damaged:
            self.listener.warn(
                f"{step.step.name}: {found.damaged} parts are not as they were written (cut short "
                "or changed on disk); they are made again"
            )
        for report in found.done.values():
            ledger.add(report)
        self.listener.opened(step, found.parts, len(found.done), found.complete)
        self._tell_of_pass(step, found)
        return moves.Opened(
            step.number,
            found.parts,
            drafted=found.drafted,
            sketched=found.dataset_pass.sketched,
            decided=found.dataset_pass.stage,
            done=frozenset(found.done),
            complete=found.complete is not None,
        )

    def _tell_of_pass(self, step: KeyedStep, found: Opening) -> None:
        """What an earlier run did of a dataset pass."""
        through = self._ledgers[step.number].through
        if found.drafted:
            through["run"] = len(found.drafted)
        if found.dataset_pass.sketched:
            through["sketch"] = len(found.dataset_pass.sketched)
        if found.dataset_pass.stage == "final":
            through["decide"] = found.parts
        for phase, parts in through.items():
            self.listener.passed(step, phase, parts, None)

    def _task(self, step: KeyedStep, phase: moves.Phase, part: int) -> PartTask:
        ledger = self._ledgers[step.number]
        source = step.folder.inputs() if step.parent is None else self.steps[step.parent].folder
        return PartTask(
            step=step.step.name,
            stage=step.step.stage.name,
            config=step.step.config,
            phase=phase,
            part=part,
            recipe_seed=self.plan.recipe.seed,
            folder=step.folder,
            input=None if isinstance(step.feed, Positions) else source,
            start=ledger.starts[part] if isinstance(step.feed, Positions) else 0,
            size=ledger.sizes[part] if isinstance(step.feed, Positions) else 0,
            specs=step.specs,
            turn=ledger.turn,
            parts=ledger.files[part] if phase == "pack" else range(ledger.parts),
            group=self.shapes[step.number].group,
        )

    def _give_up(self, step: KeyedStep, part: int) -> moves.Event:
        self._count(step.number, "run", give_up(self._task(step, "run", part)))
        return moves.Done(step.number, "run", part)

    def _pack(self, step: KeyedStep) -> moves.Event:
        ledger = self._ledgers[step.number]
        if too_many(ledger.total, self.plan.recipe.limits, whole=True):
            self._lose(step, ledger.total)
            return moves.Broken(step.number)
        ledger.files = packing([ledger.nbytes[part] for part in range(ledger.parts)])
        return moves.Packing(step.number, len(ledger.files))

    def _close(self, step: KeyedStep) -> moves.Event:
        ledger = self._ledgers[step.number]
        facts = {
            "format": FORMAT,
            "step": step.step.name,
            "stage": step.step.stage.name,
            "version": step.step.stage.version,
            "config": step.step.config.model_dump(mode="json"),
            "models": {role: describe(spec) for role, spec in step.specs.items()},
            "figures": dict(ledger.figures),
        }
        segments = [ledger.packed[file] for file in range(len(ledger.files))]
        step.folder.complete(ledger.total, segments, facts)
        self.listener.closed(step, ledger.total)
        return moves.Closed(step.number)

    def _end(self, end: moves.End) -> None:
        for number, parts in self._lost.items():
            take_back(self.steps, self.steps[number], parts)
        if end.reason == "failed":
            assert self.error is not None, "a failure has its error"
            raise self.error
        if end.reason == "interrupted":
            raise Interrupted("stopped; run the same command again to go on from here")
        if end.reason == "quarantined":
            names = ", ".join(f"{self.steps[s].step.name}/{part}" for s, part in end.quarantined)
            raise TooManyLosses(
                f"parts that killed their worker twice were set aside: {names}. All that does not "
                "depend on them is committed; run again to retry them, or allow them to be given "
                "up with limits.max_quarantined_parts."
            )


def describe(spec: Any) -> dict[str, Any]:
    """What a manifest keeps of a model."""
    return {
        "model": spec.entry.model,
        "engine": spec.engine,
        "revision": spec.revision,
        "fingerprint": spec.fingerprint,
    }
