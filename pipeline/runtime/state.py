"""What to do next in a run, as a pure state machine: handle(event) -> instructions.

Nothing here touches a file, a process or a clock, so every order of events can be tried in a test.

    part:   waiting ──> ready ── Submit ──> in flight ── Done ──> final
              │           ^                     │ Died (first time): again, alone on a worker
              │           └─────────────────────┤
        its parent's part                       └ Died (second time) ──> set aside or given up
        is final

    step:   its parts (run) ──> Pack ──> packed (pack) ──> Close ──> closed

Steps are not done one after another: a part goes on to the next step as soon as it is final, so
that an engine which serves both does not drain in between. What holds a part back is that models
take turns on the same workers, and that a step with a dataset pass goes through all its parts
several times:

    run, if it does anything then ──> sketch ──> decide (one task) ──> apply
                                        ^          │ once more
                                        └──────────┘
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.runtime.moves import (
    Broken,
    Close,
    Closed,
    Decided,
    Died,
    Done,
    End,
    Event,
    Failed,
    GiveUp,
    Instruction,
    Open,
    Opened,
    Pack,
    Packing,
    Phase,
    Round,
    Staff,
    Started,
    StopAsked,
    Submit,
    Workers,
)

_DEATHS_ALLOWED = 1
"""A part that was there when its worker died is tried once more, alone."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the state machine needs to know of a step.

    Attributes:
        parent: the step whose rows it takes; None for a source.
        decides: whether it has a dataset pass.
        group: which workers do it.
        turn: within a group, steps of a later turn wait until all of an earlier one are closed.
        lanes: how many of its parts a worker has in hand at once.
        runs: whether it does anything before its dataset pass.
    """

    parent: int | None = None
    decides: bool = False
    group: str = ""
    turn: int = 0
    lanes: int = 1
    runs: bool = True


@dataclass
class StepState:
    """How far one step is.

    Attributes:
        ready: parts of this phase that may be submitted.
        tasks: how many parts go through this phase.
        ended: those that are through it.
        sketched: parts whose sketch of the first round is there from an earlier run.
        final: parts whose rows the next step may take.
        queue: how many parts of this phase may wait for each worker, beside those in its lanes.
        asked: an instruction of this step waits for its answer.
    """

    shape: Shape
    parts: int = 0
    phase: Phase = "run"
    ready: deque[int] = field(default_factory=deque)
    in_flight: set[int] = field(default_factory=set)
    tasks: int = 0
    ended: set[int] = field(default_factory=set)
    sketched: frozenset[int] = frozenset()
    final: set[int] = field(default_factory=set)
    set_aside: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)
    queue: int = 0
    asked: bool = False
    closed: bool = False

    def enter(self, phase: Phase, tasks: int, ended: Iterable[int] = ()) -> None:
        """Begin a phase of so many parts, some of which are through it already."""
        self.phase = phase
        self.tasks = tasks
        self.ended = set(ended)
        self.ready = deque(part for part in range(tasks) if part not in self.ended)
        self.deaths.clear()
        self.queue = 0
        self.asked = False


class RunState:
    """Decides the order of work."""

    def __init__(self, shapes: Sequence[Shape], may_give_up: int = 0) -> None:
        """Take the steps in order, parents first, and how many parts may be given up."""
        self.steps = [StepState(shape) for shape in shapes]
        self.stopping: Literal["", "interrupted", "failed"] = ""
        self._may_give_up = may_give_up
        self._workers: Counter[str] = Counter()
        self._lanes: Counter[str] = Counter()
        for shape in shapes:
            self._lanes[shape.group] = max(self._lanes[shape.group], shape.lanes)
        self._in_flight: Counter[str] = Counter()
        self._staffed = False

    def handle(self, event: Event) -> list[Instruction]:
        """Take note of an event and say what to do next."""
        match event:
            case Started():
                return [Open(0)]
            case Opened(step):
                self._opened(event)
                if step + 1 < len(self.steps):
                    return [Open(step + 1)]
                self._make_ready()
            case Workers(group, count):
                self._workers[group] = count
            case Done() | Died() | Failed():
                self._ended(event)
            case Decided(step, again):
                state = self.steps[step]
                self._landed(state, 0)
                # Parts to which it was applied before a restart are not done again.
                ended = () if again else state.final
                state.enter("sketch" if again else "apply", state.parts, ended)
            case Packing(step, segments):
                self.steps[step].enter("pack", segments)
            case Closed(step):
                self.steps[step].closed = True
                self.steps[step].asked = False
            case StopAsked():
                self.stopping = self.stopping or "interrupted"
            case Broken(step):
                self.steps[step].asked = False
                self.stopping = "failed"
        return self._advance()

    def will_try_again(self, step: int, phase: Phase, part: int) -> bool:
        """Whether a part that dies now is tried once more."""
        return self.steps[step].deaths[part] < _DEATHS_ALLOWED

    # -- what happened ----------------------------------------------------------------------

    def _opened(self, event: Opened) -> None:
        state = self.steps[event.step]
        state.parts, state.closed = event.parts, event.complete
        state.final = set(range(event.parts)) if event.complete else set(event.done)
        state.sketched = event.sketched
        phase = _phase_at(state.shape, event.decided)
        drafted = event.drafted if state.shape.decides else event.done
        reached = {"run": drafted, "sketch": event.sketched, "apply": event.done}
        state.enter(phase, event.parts, reached[phase])

    def _make_ready(self) -> None:
        """Hold back the parts whose rows are not there yet; `_final` lets them in."""
        for state in self.steps:
            parent = state.shape.parent
            if parent is not None and self._takes_in(state):
                there = self.steps[parent].final
                state.ready = deque(part for part in state.ready if part in there)

    @staticmethod
    def _takes_in(state: StepState) -> bool:
        """Whether the parts of this phase come from the step before."""
        return not state.closed and state.phase == ("run" if state.shape.runs else "sketch")

    def _ended(self, event: Done | Died | Failed) -> None:
        state, part = self.steps[event.step], event.part
        self._landed(state, part)
        match event:
            case Failed():
                self.stopping = "failed"
            case Died():
                self._died(state, part)
            case Done():
                state.asked = False
                state.queue = event.queue
                state.ended.add(part)
                if event.phase == "apply" or (event.phase == "run" and not state.shape.decides):
                    self._final(event.step, part)

    def _landed(self, state: StepState, part: int) -> None:
        if part in state.in_flight:
            state.in_flight.discard(part)
            self._in_flight[state.shape.group] -= 1

    def _died(self, state: StepState, part: int) -> None:
        state.deaths[part] += 1
        if state.deaths[part] > _DEATHS_ALLOWED:
            state.set_aside.add(part)
        else:
            state.ready.appendleft(part)

    def _final(self, step: int, part: int) -> None:
        self.steps[step].final.add(part)
        for child in self.steps:
            takes = child.shape.parent == step and self._takes_in(child)
            if takes and part not in child.ended:
                child.ready.append(part)

    # -- what next --------------------------------------------------------------------------

    def _advance(self) -> list[Instruction]:
        if self.stopping:
            return [] if self._busy() else [End(self.stopping)]
        if all(state.closed for state in self.steps):
            return [End("finished")]
        if not self._staffed:
            self._staffed = True
            return [Staff()]
        todo = self._next(in_turn=True)
        if not todo and not self._busy() and (aside := self._set_aside()):
            # Parts set aside keep their step from closing; whatever else can be done still is.
            return self._next(in_turn=False) or [End("quarantined", aside)]
        return todo

    def _next(self, in_turn: bool) -> list[Instruction]:
        """What the steps can do; later ones first, to finish rows that are under way."""
        todo: list[Instruction] = []
        for number, state in reversed(list(enumerate(self.steps))):
            if not in_turn or self._has_turn(state.shape):
                todo += self._next_of(number)
        return todo

    def _busy(self) -> bool:
        return any(state.in_flight or state.asked for state in self.steps)

    def _set_aside(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, part) for i, state in enumerate(self.steps) for part in state.set_aside)

    def _next_of(self, number: int) -> list[Instruction]:
        state = self.steps[number]
        if state.closed or state.asked:
            return []
        if state.set_aside and self._may_give_up and state.phase == "run":
            self._may_give_up -= 1
            state.asked = True
            return [GiveUp(number, state.set_aside.pop())]
        if len(state.ended) == state.tasks and not state.in_flight:
            return self._phase_over(number)
        return self._submit(number)

    def _has_turn(self, shape: Shape) -> bool:
        return all(
            other.closed
            for other in self.steps
            if other.shape.group == shape.group and other.shape.turn < shape.turn
        )

    def _submit(self, number: int) -> list[Instruction]:
        state, shape = self.steps[number], self.steps[number].shape
        workers, queue = self._workers[shape.group], state.queue
        room = min(
            workers * (shape.lanes + queue) - len(state.in_flight),
            workers * (self._lanes[shape.group] + queue) - self._in_flight[shape.group],
        )
        submitted: list[Instruction] = []
        while state.ready and len(submitted) < room:
            part = state.ready.popleft()
            state.in_flight.add(part)
            submitted.append(Submit(number, state.phase, part, alone=state.deaths[part] > 0))
        self._in_flight[shape.group] += len(submitted)
        return submitted

    def _phase_over(self, number: int) -> list[Instruction]:
        state = self.steps[number]
        if state.phase == "run" and state.shape.decides and state.parts:
            state.enter("sketch", state.parts, state.sketched)
            return self._next_of(number)
        parent = state.shape.parent
        if parent is not None and not self.steps[parent].closed:
            return []  # some of its rows may still be taken back
        if state.phase == "sketch" and state.parts:
            state.enter("decide", 1)
            return self._submit(number)
        state.asked = True
        return [Close(number) if state.phase == "pack" else Pack(number)]


def _phase_at(shape: Shape, decided: Round) -> Phase:
    """Where a step goes on whose dataset pass came this far."""
    if decided == "final":
        return "apply"
    return "run" if shape.runs and not decided else "sketch"
