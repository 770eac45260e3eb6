"""A scripted engine that takes its time like a GPU with continuous batching.

It has slots. A request waits for a slot, in the order of arrival and beside those of other calls,
and takes it for as many steps as it samples tokens. Nothing is computed, so many such engines fit
on a small machine.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

_NEWS_EVERY_S = 0.2
_SEEDS = 2**63


class Lengths(BaseModel):
    """How many tokens answers have: between the two, evenly on a logarithmic scale, by the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens_per_s: float = Field(gt=0, description="Of the whole engine, with every slot taken.")
    max_num_seqs: int = Field(64, ge=1, description="Slots: requests that are served at once.")
    startup_s: float = Field(0.0, ge=0, description="Seconds that opening the engine takes.")
    failures_per_hour: float = Field(
        0.0, ge=0, description="How often its process is killed, at random instants."
    )
    record: bool = Field(
        False, description="Leave a line in <script>.marks/engines.jsonl when it is opened."
    )

    @property
    def step_s(self) -> float:
        """Seconds that a token takes."""
        return self.max_num_seqs / self.tokens_per_s


class PacedSlots:
    """The slots of one engine, shared by all that call it."""

    def __init__(self, pace: Pace, marks: Path) -> None:
        """Take as long as opening takes."""
        time.sleep(pace.startup_s)
        self._step_s = pace.step_s
        self._free_at = [0.0] * pace.max_num_seqs
        self._lock = threading.Lock()
        if pace.failures_per_hour:
            _die_in(random.expovariate(pace.failures_per_hour / 3600))
        if pace.record:
            marks.mkdir(exist_ok=True)
            line = {"pid": os.getpid(), "opened": time.time()}
            with (marks / "engines.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

    def serve(self, tokens: Sequence[int], progress: Callable[[int, int], None]) -> None:
        """Wait until requests of so many tokens each are through, telling progress."""
        ends = sorted(zip(self._book(tokens), tokens, strict=True))
        done = 0
        while done < len(ends):
            wait_s = max(ends[done][0] - time.monotonic(), 0.0)
            time.sleep(max(wait_s, _NEWS_EVERY_S) if len(ends) - done > 1 else wait_s)
            now, first = time.monotonic(), done
            while done < len(ends) and ends[done][0] <= now:
                done += 1
            progress(done - first, sum(count for _, count in ends[first:done]))

    def _book(self, tokens: Sequence[int]) -> list[float]:
        """When each request will be through, on slots that are its own until then."""
        ends = []
        with self._lock:
            now = time.monotonic()
            for count in tokens:
                end = max(self._free_at[0], now) + count * self._step_s
                heapq.heapreplace(self._free_at, end)
                ends.append(end)
        return ends


def _die_in(seconds: float) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
