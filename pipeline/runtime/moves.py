"""What happened and what to do: the words between the loop and the state machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["run", "sketch", "decide", "apply", "pack"]

Round = Literal["", "again", "final"]
"""What came of the last round of a dataset pass: nothing yet, one more, or the decision."""


# Events: what happened.
@dataclass(frozen=True, slots=True)
class Started:
    """The run begins."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A step's folder was looked at.

    Attributes:
        drafted, sketched, done: parts that are through these phases already; sketches count if
            they are those of the round that comes next.
        decided: how far its dataset pass came.
    """

    step: int
    parts: int
    drafted: frozenset[int] = frozenset()
    sketched: frozenset[int] = frozenset()
    decided: Round = ""
    done: frozenset[int] = frozenset()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Workers:
    """A group has this many live workers."""

    group: str
    count: int


@dataclass(frozen=True, slots=True)
class Done:
    """A task finished and committed what it made.

    Attributes:
        queue: tasks of its kind are so short that this many more may wait for each worker.
    """

    step: int
    phase: Phase
    part: int
    queue: int = 0


@dataclass(frozen=True, slots=True)
class Died:
    """The worker that had the task is gone, or its engine."""

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
    """A round of a dataset pass is decided; `again`: one more is to come."""

    step: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Packing:
    """A step's losses are within the limits; its parts are to go into this many files."""

    step: int
    segments: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A step's manifest is written."""

    step: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The user wants to stop: finish what is in flight, begin nothing."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A step lost too much: the run cannot go on, though no task failed."""

    step: int


Event = (
    Started
    | Opened
    | Workers
    | Done
    | Died
    | Failed
    | Decided
    | Packing
    | Closed
    | StopAsked
    | Broken
)


# Instructions: what to do.
@dataclass(frozen=True, slots=True)
class Open:
    """Look at the step's folder, make its inputs if it is a source; answer with Opened."""

    step: int


@dataclass(frozen=True, slots=True)
class Staff:
    """There is work: have workers, and answer with Workers."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Have a worker do this, if `alone` one with nothing else.

    Answer with Done, Died or Failed; where it is the decision of a dataset pass, which is part 0
    of that phase, with Decided for Done.
    """

    step: int
    phase: Phase
    part: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Turn away all rows of a part that kills its workers; answer with Done."""

    step: int
    part: int


@dataclass(frozen=True, slots=True)
class Pack:
    """Check the step's losses and plan its files; answer with Packing or Broken."""

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


Instruction = Open | Staff | Submit | GiveUp | Pack | Close | End
