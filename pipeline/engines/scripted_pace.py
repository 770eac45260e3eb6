"""The pace of a scripted engine: that of a GPU with continuous batching, slept instead of computed.

The engine has `max_num_seqs` slots. A request waits for a free one, in the order of arrival, and
holds it for its tokens, one step each; a step takes max_num_seqs / tokens_per_s seconds, so a full
batch yields tokens_per_s and an idle slot is lost. All is known when a request arrives, so a call
is planned at once and slept through, whatever its size.
"""

from __future__ import annotations

import json
import os
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapreplace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.engines.base import ProgressHook
from pipeline.engines.scripted_faults import Health

_WAKE_S = 0.5
"""Progress is told that often."""

_SECONDS_BETWEEN_NOTES = 1.0
_SEEDS = 2**63


class Lengths(BaseModel):
    """How many tokens answers have: between the two, evenly on a logarithmic scale, by the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min: int = Field(ge=1, description="Shortest answer, in tokens.")
    max: int = Field(ge=1, description="Longest answer, in tokens.")

    @model_validator(mode="after")
    def _check(self) -> Lengths:
        if self.max < self.min:
            raise ValueError("`max` is less than `min`")
        return self

    def draw(self, seed: int) -> int:
        """The length of the answer to a request."""
        drawn: float = self.min * (self.max / self.min) ** (seed / _SEEDS)
        return round(drawn)


class Pace(BaseModel):
    """How fast a scripted engine is. Changes no row."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    tokens_per_s: float = Field(gt=0, description="Of the whole engine, with every slot taken.")
    max_num_seqs: int = Field(64, ge=1, description="Slots: requests that are served at once.")
    startup_s: float = Field(0.0, ge=0, description="Seconds that opening the engine takes.")
    record: bool = Field(
        False, description="Note in <script>.marks/engines.jsonl what engines did."
    )


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the requests of one call run, in seconds of the engine's life.

    Attributes:
        starts: in order of arrival, which is also that of time.
        ends: in order of time.
    """

    starts: list[float]
    ends: list[float]

    def ended(self, now: float) -> int:
        """How many requests are done."""
        return bisect_right(self.ends, now)

    def busy_s(self, now: float) -> float:
        """Slot-seconds spent on them so far."""
        started, ended = bisect_right(self.starts, now), self.ended(now)
        return sum(self.ends[:ended]) + (started - ended) * now - sum(self.starts[:started])


class Slots:
    """Who holds a slot when. Pure: the clock is the caller's, and must not go back."""

    def __init__(self, n: int) -> None:
        self._free_at = [0.0] * n  # a heap
        self._planned_s = 0.0

    def plan(self, durations_s: Sequence[float], now: float) -> Timetable:
        """Give requests that arrive now, in this order, the slots that are free first."""
        starts, ends = [], []
        for duration_s in durations_s:
            start = max(self._free_at[0], now)
            heapreplace(self._free_at, start + duration_s)
            starts.append(start)
            ends.append(start + duration_s)
        self._planned_s += sum(durations_s)
        return Timetable(starts, sorted(ends))

    def busy_s(self, now: float) -> float:
        """Slot-seconds spent so far."""
        # A slot with work ahead works without a pause until it is free.
        return self._planned_s - sum(max(0.0, free_at - now) for free_at in self._free_at)

    def idle_since(self) -> float:
        """When the last request planned so far ends."""
        return max(self._free_at)


@dataclass(frozen=True, slots=True)
class Logbook:
    """A file that tells what engines did, also of those that were killed.

    A line is a JSON object: pid, opened, seen (seconds since the epoch, startup not included),
    busy_until (of the same clock), busy_slot_s and closed. The last line of an engine counts.
    """

    path: Path

    def note(self, line: dict[str, float | bool]) -> None:
        """Append a line, in one write: engines share the file."""
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps({"pid": os.getpid(), **line}).encode() + b"\n")


class Pacer:
    """Makes callers wait as an engine would, from its opening on; safe between threads.

    Attributes:
        max_num_seqs: its slots.
    """

    def __init__(self, pace: Pace, health: Health, logbook: Logbook | None = None) -> None:
        time.sleep(pace.startup_s)
        self.max_num_seqs = pace.max_num_seqs
        self._step_s = pace.max_num_seqs / pace.tokens_per_s
        self._health = health
        self._logbook = logbook
        self._slots = Slots(pace.max_num_seqs)
        self._lock = threading.Lock()  # guards _slots and _noted_at
        self._noted_at = 0.0
        self._closed_at: float | None = None
        self._opened = time.monotonic()
        self._opened_epoch_s = time.time()
        self._note()

    @property
    def up_s(self) -> float:
        """Seconds from opening to now, or to closing."""
        return (self._closed_at or time.monotonic()) - self._opened

    @property
    def busy_slot_s(self) -> float:
        """Slot-seconds that requests have held so far."""
        with self._lock:
            return self._slots.busy_s(self.up_s)

    @property
    def utilisation(self) -> float:
        """Share of its slots' time that the engine was busy, from 0 to 1."""
        return self.busy_slot_s / (self.max_num_seqs * self.up_s)

    def serve(self, steps: Sequence[int], tell: ProgressHook, *, sampling: bool) -> None:
        """Wait until requests of so many steps are done, telling progress on the way.

        Every step of a request makes a token; with `sampling` they are what was asked for.

        Raises:
            EngineDied: the engine died meanwhile.
        """
        with self._lock:
            timetable = self._slots.plan([n * self._step_s for n in steps], self.up_s)
        told_requests = told_tokens = 0
        while told_requests < len(steps):
            self._health.sleep(min(_WAKE_S, max(0.0, timetable.ends[-1] - self.up_s)))
            now = self.up_s
            requests = timetable.ended(now)
            tokens = round(timetable.busy_s(now) / self._step_s)
            tell(requests - told_requests, tokens - told_tokens if sampling else 0)
            told_requests, told_tokens = requests, tokens
            self._note()

    def close(self) -> None:
        """Stop the clock; a second time changes nothing."""
        if self._closed_at is None:
            self._closed_at = time.monotonic()
            self._note(closed=True)

    def _note(self, *, closed: bool = False) -> None:
        with self._lock:
            now = self.up_s
            if self._logbook is None or (now < self._noted_at and not closed):
                return
            self._noted_at = now + _SECONDS_BETWEEN_NOTES
            opened = self._opened_epoch_s
            self._logbook.note(
                {
                    "opened": opened,
                    "seen": opened + now,
                    "busy_until": opened + min(now, self._slots.idle_since()),
                    "busy_slot_s": self._slots.busy_s(now),
                    "closed": closed,
                }
            )
