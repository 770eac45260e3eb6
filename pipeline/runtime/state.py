"""What to do next in a run, as a pure state machine: handle(event) -> instructions.

Nothing here touches a file, a process or a clock, so every order of events can be tried in a test.

    step:   waiting ── Open ──> running ── Close ──> closed
    part:   pending ── Submit ──> in flight ── Done ──> done
                         ^            │ Died (first time)
                         └────────────┘           Died (second time) ──> quarantined

A step with a dataset pass goes through its parts three times (run, sketch, apply), with a
decision between the last two.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["run", "sketch", "apply"]

_DEATHS_ALLOWED = 1
"""A part that kills its worker once is tried again; the second time it is set aside."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the state machine needs to know of a step."""

    two_pass: bool


# Events: what happened.
@dataclass(frozen=True, slots=True)
class Started:
    """The run begins."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A step's folder was looked at. `drafted` and `done` parts are committed already."""

    step: int
    parts: int
    drafted: frozenset[int] = frozenset()
    done: frozenset[int] = frozenset()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A task finished and committed what it made."""

    step: int
    phase: Phase
    part: int


@dataclass(frozen=True, slots=True)
class Died:
    """The worker that had the task is gone."""

    step: int
    phase: Phase
    part: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A task raised: the same would happen again, so the run ends."""

    step: int
    phase: Phase
    part: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision of a dataset pass is there."""

    step: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A step's manifest is written."""

    step: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The user wants to stop: finish what is in flight, begin nothing."""


Event = Started | Opened | Done | Died | Failed | Decided | Closed | StopAsked


# Instructions: what to do.
@dataclass(frozen=True, slots=True)
class Open:
    """Look at the step's folder, make its inputs if it is a source; answer with Opened."""

    step: int


@dataclass(frozen=True, slots=True)
class Submit:
    """Have a worker do this; answer with Done, Died or Failed."""

    step: int
    phase: Phase
    part: int


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide over all sketches; answer with Decided."""

    step: int


@dataclass(frozen=True, slots=True)
class Close:
    """Write the step's manifest; answer with Closed."""

    step: int


@dataclass(frozen=True, slots=True)
class End:
    """The run is over."""

    reason: Literal["finished", "interrupted", "failed", "quarantined"]
    quarantined: tuple[tuple[int, int], ...] = ()


Instruction = Open | Submit | Decide | Close | End


@dataclass
class RunState:
    """All that is known of a run in progress.

    Attributes:
        shapes: the steps, in the order they are worked on.
        slots: how many tasks may be in flight at once.
    """

    shapes: Sequence[Shape]
    slots: int
    step: int = -1
    phase: Phase = "run"
    parts: int = 0
    pending: deque[int] = field(default_factory=deque)
    in_flight: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)
    quarantined: list[tuple[int, int]] = field(default_factory=list)
    stopping: Literal["", "interrupted", "failed"] = ""
    _applied: frozenset[int] = frozenset()

    def handle(self, event: Event) -> list[Instruction]:
        """Take note of an event and say what to do next."""
        match event:
            case Started():
                return self._next_step()
            case Opened():
                return self._opened(event)
            case Done():
                self.in_flight.discard(event.part)
            case Died():
                self._died(event.part)
            case Failed():
                self.in_flight.discard(event.part)
                self.stopping = "failed"
            case StopAsked():
                self.stopping = self.stopping or "interrupted"
            case Decided():
                # Parts whose second pass was committed before a restart are not done again.
                self._enter("apply", self._applied)
            case Closed():
                return self._next_step()
        return self._advance()

    def _next_step(self) -> list[Instruction]:
        if self.stopping:
            return [End(self.stopping)]
        self.step += 1
        if self.step == len(self.shapes):
            return [End("finished")]
        return [Open(self.step)]

    def _opened(self, event: Opened) -> list[Instruction]:
        if event.complete:
            return self._next_step()
        self.parts = event.parts
        self._applied = event.done
        two_pass = self.shapes[self.step].two_pass
        self._enter("run", event.drafted if two_pass else event.done)
        return self._advance()

    def _enter(self, phase: Phase, done: frozenset[int]) -> None:
        self.phase = phase
        self.deaths.clear()
        self.pending = deque(part for part in range(self.parts) if part not in done)

    def _died(self, part: int) -> None:
        self.in_flight.discard(part)
        self.deaths[part] += 1
        if self.deaths[part] > _DEATHS_ALLOWED:
            self.quarantined.append((self.step, part))
        else:
            self.pending.appendleft(part)

    def _advance(self) -> list[Instruction]:
        if self.stopping:
            return [] if self.in_flight else [End(self.stopping)]
        submitted: list[Instruction] = []
        while self.pending and len(self.in_flight) < self.slots:
            part = self.pending.popleft()
            self.in_flight.add(part)
            submitted.append(Submit(self.step, self.phase, part))
        if submitted or self.in_flight or self.pending:
            return submitted
        return self._phase_over()

    def _phase_over(self) -> list[Instruction]:
        if self.quarantined:
            return [End("quarantined", tuple(self.quarantined))]
        if self.phase == "run" and self.shapes[self.step].two_pass:
            self._enter("sketch", frozenset())
            return self._advance()
        if self.phase == "sketch":
            return [Decide(self.step)]
        return [Close(self.step)]
