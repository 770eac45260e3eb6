"""The one loop: performs what `pipeline.runtime.state` decides, and feeds back what happened."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.recipe.plan import Plan
from pipeline.runtime import state
from pipeline.runtime.executors import Executor, Outcome
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.sources import inputs_ready, open_source
from pipeline.runtime.store import PartReport, StepReport
from pipeline.runtime.worker import PartTask
from schemas.errors import EngineDied, Interrupted, TooManyLosses
from schemas.rejects import is_engine_code
from schemas.stage import Positions

_TICK_S = 0.2


class Listener(Protocol):
    """Hears of a run's progress."""

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """Work on a step begins; `reused` if it was complete already."""
        ...

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """A part of the step is committed."""
        ...

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """The step is complete."""
        ...

    def warn(self, message: str) -> None:
        """Something the user should know at once."""
        ...

    def tick(self) -> None:
        """Called several times a second."""
        ...


@dataclass
class Runner:
    """A run in progress.

    Attributes:
        steps: steps and exports, in order.
        start_executor: called when there is work to do, and only then.
        stop_asked: true once the user wants to stop.
    """

    plan: Plan
    steps: list[KeyedStep]
    start_executor: Callable[[], Executor]
    listener: Listener
    stop_asked: Callable[[], bool]
    executor: Executor | None = None
    error: BaseException | None = None
    _sizes: dict[int, list[int]] = field(default_factory=dict)
    _sketches: dict[int, Any] = field(default_factory=dict)
    _decision: Any = None
    _stop_told: bool = False

    def run(self) -> None:
        """Work until every step is complete.

        Raises:
            Interrupted: stopped by the user; what was committed stays.
            TooManyLosses: more lost than the recipe allows, or a part that kills workers.
            PrefmillError: whatever a stage or an engine could not get past.
        """
        shapes = [state.Shape(step.step.stage.dataset_pass is not None) for step in self.steps]
        slots = max(1, self.plan.recipe.placement.workers)
        machine = state.RunState(shapes, slots)
        events: deque[state.Event] = deque([state.Started()])
        try:
            while True:
                event = events.popleft() if events else self._await_event()
                if self.stop_asked() and not self._stop_told:
                    # Before the event, which might otherwise begin something new.
                    self._stop_told = True
                    events.appendleft(event)
                    event = state.StopAsked()
                for instruction in machine.handle(event):
                    if isinstance(instruction, state.End):
                        return self._end(instruction)
                    if (answer := self._perform(instruction)) is not None:
                        events.append(answer)
        finally:
            if self.executor is not None:
                self.executor.close()

    def _await_event(self) -> state.Event:
        while True:
            self.listener.tick()
            outcome = self.executor.wait(_TICK_S) if self.executor else None
            if outcome is not None:
                return self._event(outcome)

    def _event(self, outcome: Outcome) -> state.Event:
        task = outcome.task
        number = next(step.number for step in self.steps if step.step.name == task.step)
        where = (number, task.phase, task.part)
        if outcome.died or isinstance(outcome.error, EngineDied):
            cause = "its worker process died" if outcome.died else str(outcome.error)
            self.listener.warn(f"{task.id}: {cause}; nothing of it was committed")
            return state.Died(*where)
        if outcome.error is not None:
            self.error = self.error or outcome.error
            return state.Failed(*where)
        if task.phase == "sketch":
            self._sketches[task.part] = outcome.value
        elif task.phase == "apply" or not self.steps[number].step.stage.dataset_pass:
            self.listener.part_done(self.steps[number], outcome.value)
        return state.Done(*where)

    def _perform(self, instruction: state.Instruction) -> state.Event | None:
        match instruction:
            case state.Open(step):
                return self._open(self.steps[step])
            case state.Submit(step, phase, part):
                if self.executor is None:
                    self.executor = self.start_executor()
                self.executor.submit(self._task(self.steps[step], phase, part))
            case state.Decide(step):
                return self._decide(self.steps[step])
            case state.Close(step):
                return self._close(self.steps[step])
        return None

    def _open(self, step: KeyedStep) -> state.Event:
        if report := step.folder.report():
            if step.folder.intact():
                self.listener.opened(step, 0, 0, report)
                return state.Opened(step.number, 0, complete=True)
            self.listener.warn(f"{step.step.name}: files changed since; those parts are made again")
        sizes = step.folder.layout() or self._cut(step)
        self._sizes[step.number] = sizes
        parts = range(len(sizes))
        done = frozenset(part for part in parts if step.folder.part_report(part))
        if step.parent is None and not inputs_ready(step, set(parts) - done):
            self._cut(step, part_rows=sizes[0])  # as before, whatever the recipe says by now
        drafts = step.folder.drafts()
        drafted = frozenset(part for part in parts if drafts.part_report(part))
        self._sketches.clear()
        self._decision = None
        self.listener.opened(step, len(sizes), len(done), None)
        return state.Opened(step.number, len(sizes), drafted, done)

    def _cut(self, step: KeyedStep, part_rows: int | None = None) -> list[int]:
        """A source is cut by the recipe's part size; any other step takes its parent's parts."""
        recipe = self.plan.recipe
        if step.parent is None:
            size = part_rows or recipe.placement.part_rows
            return open_source(step, self.plan.base, size, recipe.seed)
        parent = self.steps[step.parent].folder
        manifest = parent.manifest()
        assert manifest is not None, "steps run in order"
        # The parent was verified when it was opened, or has just been made.
        reports = [parent.committed(part) for part in range(manifest["parts"])]
        sizes = [report.rows_out for report in reports if report is not None]
        step.folder.write_layout(sizes)
        return sizes

    def _task(self, step: KeyedStep, phase: state.Phase, part: int) -> PartTask:
        sizes = self._sizes[step.number]
        source: Any = step.folder if step.parent is None else self.steps[step.parent].folder
        return PartTask(
            step=step.step.name,
            stage=step.step.stage.name,
            config=step.step.config,
            phase=phase,
            part=part,
            start=sum(sizes[:part]),
            size=sizes[part],
            recipe_seed=self.plan.recipe.seed,
            folder=step.folder,
            input=None if isinstance(step.feed, Positions) else source,
            specs=step.specs,
            decision=self._decision if phase == "apply" else None,
        )

    def _decide(self, step: KeyedStep) -> state.Event:
        dataset_pass = step.step.stage.dataset_pass
        assert dataset_pass is not None, "only such steps are decided on"
        sketches = [self._sketches[part] for part in sorted(self._sketches)]
        self._decision = dataset_pass.decide(sketches, step.step.config)
        return state.Decided(step.number)

    def _close(self, step: KeyedStep) -> state.Event:
        found = [step.folder.committed(part) for part in range(len(self._sizes[step.number]))]
        reports = [report for report in found if report is not None]
        report = StepReport.of_parts(reports)
        self._refuse_losses(step, reports, report)
        facts = {
            "step": step.step.name,
            "stage": step.step.stage.name,
            "version": step.step.stage.version,
            "config": step.step.config.model_dump(mode="json"),
            "models": {role: describe(spec) for role, spec in step.specs.items()},
        }
        step.folder.write_manifest(report, len(reports), facts)
        shutil.rmtree(step.folder.drafts().path, ignore_errors=True)
        for part in range(len(reports)):
            step.folder.input_path(part).unlink(missing_ok=True)
        self.listener.closed(step, report)
        return state.Closed(step.number)

    def _refuse_losses(self, step: KeyedStep, parts: list[PartReport], total: StepReport) -> None:
        limit = self.plan.recipe.limits.max_failed_share
        if not total.rows_in or total.failed / total.rows_in <= limit:
            return
        for part in parts:
            if part.failed:
                step.folder.discard(part.part)
                step.folder.drafts().discard(part.part)
        reasons = {code: n for code, n in total.rejects.items() if is_engine_code(code)}
        raise TooManyLosses(
            f"step `{step.step.name}` lost {total.failed} of {total.rows_in} rows to engine "
            f"failures ({reasons}); the recipe allows {limit:.0%} (limits.max_failed_share). "
            "Those parts will be done again when the run is resumed."
        )

    def _end(self, end: state.End) -> None:
        if end.reason == "failed":
            assert self.error is not None, "a failure has its error"
            raise self.error
        if end.reason == "interrupted":
            raise Interrupted("stopped; run the same command again to go on from here")
        if end.reason == "quarantined":
            names = ", ".join(f"{self.steps[s].step.name}/{part}" for s, part in end.quarantined)
            raise TooManyLosses(
                f"parts that killed their worker twice were set aside: {names}. All other parts "
                "are committed; run again to retry these."
            )


def describe(spec: Any) -> dict[str, Any]:
    """What a manifest keeps of a model."""
    return {
        "model": spec.entry.model,
        "engine": spec.engine,
        "revision": spec.revision,
        "fingerprint": spec.fingerprint,
    }
