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
three times (run, sketch, apply) with a decision between the last two.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.runtime.moves import (
    Broken,
    Close,
    Closed,
    Decide,
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
        two_pass: whether it has a dataset pass.
        group: which workers do it.
        turn: within a group, steps of a later turn wait until all of an earlier one are closed.
        lanes: how many of its parts a worker has in hand at once.
    """

    parent: int | None = None
    two_pass: bool = False
    group: str = ""
    turn: int = 0
    lanes: int = 1


@dataclass
class StepState:
    """How far one step is.

    Attributes:
        ready: parts of this phase that may be submitted.
        ended: parts that are through this phase.
        final: parts whose rows the next step may take.
        companions: how many parts of this phase may wait for each that a worker has in hand.
        asked: an instruction of this step waits for its answer.
    """

    shape: Shape
    parts: int = 0
    phase: Phase = "run"
    ready: deque[int] = field(default_factory=deque)
    in_flight: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    final: set[int] = field(default_factory=set)
    set_aside: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)
    companions: int = 0
    asked: bool = False
    closed: bool = False

    def enter(self, phase: Phase, todo: Sequence[int], ended: frozenset[int] = frozenset()) -> None:
        """Begin a phase with these parts to do and those done before."""
        self.phase = phase
        self.ready = deque(todo)
        self.ended = set(ended)
        self.deaths.clear()
        self.companions = 0
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
            case Decided(step):
                state = self.steps[step]
                # Parts whose second pass was committed before a restart are not done again.
                todo = [part for part in range(state.parts) if part not in state.final]
                state.enter("apply", todo, frozenset(state.final))
            case Packing(step, segments):
                self.steps[step].enter("pack", range(segments))
                self.steps[step].parts = segments
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
        state.ended = set(event.drafted if state.shape.two_pass else event.done)

    def _make_ready(self) -> None:
        for state in self.steps:
            if not state.closed:
                parent = state.shape.parent
                there = range(state.parts) if parent is None else sorted(self.steps[parent].final)
                state.ready.extend(part for part in there if part not in state.ended)

    def _ended(self, event: Done | Died | Failed) -> None:
        state, part = self.steps[event.step], event.part
        if part in state.in_flight:
            state.in_flight.discard(part)
            self._in_flight[state.shape.group] -= 1
        match event:
            case Failed():
                self.stopping = "failed"
            case Died():
                self._died(state, part)
            case Done():
                state.asked = False
                state.companions = event.companions
                state.ended.add(part)
                if event.phase == "apply" or (event.phase == "run" and not state.shape.two_pass):
                    self._final(event.step, part)

    def _died(self, state: StepState, part: int) -> None:
        state.deaths[part] += 1
        if state.deaths[part] > _DEATHS_ALLOWED:
            state.set_aside.add(part)
        else:
            state.ready.appendleft(part)

    def _final(self, step: int, part: int) -> None:
        self.steps[step].final.add(part)
        for child in self.steps:
            if child.shape.parent == step and not child.closed and part not in child.ended:
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
        if len(state.ended) == state.parts and not state.in_flight:
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
        workers, companions = self._workers[shape.group], state.companions
        room = min(
            workers * (shape.lanes + companions) - len(state.in_flight),
            workers * (self._lanes[shape.group] + companions) - self._in_flight[shape.group],
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
        if state.phase == "run" and state.shape.two_pass:
            state.enter("sketch", range(state.parts))
            return self._submit(number) if state.parts else self._ask(number, Decide(number))
        if state.phase == "sketch":
            return self._ask(number, Decide(number))
        if state.phase == "pack":
            return self._ask(number, Close(number))
        return self._ask(number, Pack(number))

    def _ask(self, number: int, question: Decide | Pack | Close) -> list[Instruction]:
        """Ask once the parent is closed: until then some of its rows may still be taken back."""
        parent = self.steps[number].shape.parent
        if parent is not None and not self.steps[parent].closed:
            return []
        self.steps[number].asked = True
        return [question]
