"""Tokens that were sampled and lost, because the worker or the run died before the commit.

The exact sum would need every token on disk before it is sampled. This keeps what was told at most
a second ago in `<out>/work/inflight.json`, so it is told as "about".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.files import read_json, write_json
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener, place_of
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.store import StepFolder

_WRITE_EVERY_S = 1.0

Say = Callable[[str], None]


class InFlight(Listener):
    """Keeps the tokens sampled for parts that are not committed yet.

    Attributes:
        repeated_tokens: sampled for parts that were then lost, in this run and in killed ones
            that it goes on from.
    """

    def __init__(self, path: Path, say: Say, warn: Say, clock: Callable[[], float]) -> None:
        self.repeated_tokens = 0
        self._path = path
        self._say = say
        self._warn = warn
        self._clock = clock
        self._tokens: dict[str, int] = {}
        self._lock = threading.Lock()
        self._left: dict[str, int] | None = None
        self._written: dict[str, Any] | None = None
        self._written_at = 0.0
        self._warned = False

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `Listener`: at the first, read what a killed run left; the folder is ours by now."""
        if self._left is None:
            self._written = read_json(self._path)
            left = self._written or {}
            self._left = dict(left.get("tasks", {}))
            self.repeated_tokens += left.get("repeated_tokens", 0)
        for task in list(self._left):
            name, part = place_of(task)
            # It may have been committed after the last note of it.
            if name == step.step.name and kept(step.folder, part):
                del self._left[task]

    def tell(self, message: dict[str, Any]) -> None:
        """See `Listener`."""
        if tokens := message.get("tokens"):
            with self._lock:
                task = message["task"]
                self._tokens[task] = self._tokens.get(task, 0) + tokens

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """See `Listener`."""
        self._forget(step, report.part)

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """See `Listener`."""
        lost = self._forget(step, part)
        # What its first pass sampled is safe if only a later pass was lost.
        if not kept(step.folder, part):
            self.repeated_tokens += lost

    def tick(self) -> None:
        """See `Listener`: tell once what a killed run lost, and note what is in flight."""
        self._settle()
        if self._clock() - self._written_at >= _WRITE_EVERY_S:
            self._write()

    def close(self, finished: bool) -> None:
        """End: nothing stays of a finished run; any other leaves its note to the next."""
        if self._left is None:
            return  # it never came to work, and the folder may be another run's
        self._settle()
        if finished:
            self._path.unlink(missing_ok=True)
        else:
            self._write()

    def _settle(self) -> None:
        if self._left:
            lost = sum(self._left.values())
            self.repeated_tokens += lost
            self._left = {}
            if lost:
                self._say(f"about {lost:,} tokens of the killed run will be sampled again")

    def _forget(self, step: KeyedStep, part: int) -> int:
        """Drop the tasks of a part, whatever their phase; returns their tokens."""
        with self._lock:
            tasks = [task for task in self._tokens if place_of(task) == (step.step.name, part)]
            return sum(self._tokens.pop(task) for task in tasks)

    def _write(self) -> None:
        with self._lock:
            note = {"tasks": dict(self._tokens), "repeated_tokens": self.repeated_tokens}
        if note == (self._written or {"tasks": {}, "repeated_tokens": 0}):
            return
        self._written_at = self._clock()
        try:
            write_json(self._path, note)
        except OSError as error:  # a full disk; the commit of a part will say so, this may wait
            if not self._warned:
                self._warned = True
                self._warn(f"{self._path} cannot be written: {error.strerror}; the run goes on")
        else:
            self._written = note


def kept(folder: StepFolder, part: int) -> bool:
    """Whether what was sampled for a part is committed, as a draft or for good."""
    return folder.committed(part) is not None or folder.drafts().committed(part) is not None


def in_flight_path(out: Path) -> Path:
    """Where the note of an output folder lies."""
    return out / "work" / "inflight.json"
