"""How a scripted engine breaks: at numbered requests, at prompts, or at random.

An engine dies or hangs as a whole: every thread that waits for it is told, or waits for ever. A
fault of a script with `times` is limited over all processes and runs: each occurrence claims a
file in the folder `<script>.marks` before it strikes, so that "hang once, then work" can be
written. Delete the folder to begin anew.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.engines.echo import seen
from pipeline.engines.script_file import Fault
from schemas.errors import EngineDied
from schemas.models import Failure, FailureKind, GenerateRequest, LabelRequest, ScoreRequest

Request = GenerateRequest | ScoreRequest | LabelRequest


class Health:
    """Whether an engine still works, for all threads that use it."""

    def __init__(self) -> None:
        self._broken = threading.Event()
        self._cause = ""

    def die(self, cause: str) -> None:
        """From now on every call raises."""
        self._cause = cause
        self._broken.set()

    def hang(self) -> None:
        """From now on no call returns."""
        self._broken.set()

    def check(self) -> None:
        """Return if the engine works.

        Raises:
            EngineDied: it died. If it hangs, so does the caller.
        """
        if self._broken.is_set():
            self._break()

    def sleep(self, seconds: float) -> None:
        """Let time pass for a caller, as long as the engine works; raises like `check`."""
        if self._broken.wait(seconds):
            self._break()

    def works_for(self, seconds: float) -> bool:
        """Let time pass for a watcher; whether the engine still works after it."""
        return not self._broken.wait(seconds)

    def _break(self) -> None:
        if not self._cause:
            threading.Event().wait()
        raise EngineDied(self._cause)


class Trouble(Protocol):
    """When and how an engine breaks."""

    def meet(self, request: Request, health: Health) -> Failure | None:
        """A request arrives: it may fail, break the engine, or end the process."""
        ...


@dataclass(frozen=True, slots=True)
class Faults:
    """Trouble at requests numbered from 1 over the engine's life: for tests.

    Attributes:
        fail: requests that fail, and how.
        die_at: requests that kill the engine.
        hang_at: requests that wait until `resume` is set.
        resume: ends the waiting.
    """

    fail: Mapping[int, FailureKind] = field(default_factory=dict)
    die_at: frozenset[int] = frozenset()
    hang_at: frozenset[int] = frozenset()
    resume: threading.Event = field(default_factory=threading.Event)
    # Taking the next number of an `itertools.count` is one step: safe between threads.
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)

    def meet(self, request: Request, health: Health) -> Failure | None:
        """See `Trouble`."""
        number = next(self._numbers)
        if number in self.hang_at:
            self.resume.wait()
        if number in self.die_at:
            health.die(f"the scripted engine died at request {number}, as planned")
        if number in self.fail:
            message = f"request {number} was planned to fail"
            return Failure(request.request_id, self.fail[number], message)
        return None


class ScriptFaults:
    """The faults of a script, in one of the processes that open it."""

    def __init__(self, faults: Sequence[Fault], marks: Path) -> None:
        self._faults = [_Counted(fault, f"fault-{n}", marks) for n, fault in enumerate(faults)]

    def meet(self, request: Request, health: Health) -> Failure | None:
        """See `Trouble`."""
        text = seen(request.prompt)
        for counted in self._faults:
            if counted.comes_with(text):
                return counted.strike(request.request_id, health)
        return None

    def watch(self, health: Health) -> None:
        """Let random faults that break the engine strike at any instant, also between requests."""
        for counted in self._faults:
            if counted.strikes_at_random:
                watcher = threading.Thread(target=counted.stalk, args=(health,), daemon=True)
                watcher.start()


class _Counted:
    """A fault of a script with its occurrences."""

    def __init__(self, fault: Fault, name: str, marks: Path) -> None:
        self._fault = fault
        self._name = name
        self._marks = marks
        self._next_mark = 0
        # Decides when things break and no row, so nothing has to repeat it.
        self._random = random.Random(f"{os.getpid()} {time.time_ns()} {name}")
        self._due_at = time.monotonic() + self._draw_wait_s()
        self._lock = threading.Lock()  # guards _next_mark and _due_at

    @property
    def strikes_at_random(self) -> bool:
        """Whether it needs no request to strike."""
        return self._fault.every_s is not None and self._fault.fail is None

    def comes_with(self, text: str) -> bool:
        """Whether a request with this prompt brings the fault, and it may still occur."""
        if self.strikes_at_random or not self._fault.matches(text):
            return False
        with self._lock:
            return self._is_due() and self._claim()

    def strike(self, request_id: str, health: Health) -> Failure | None:
        """Do what the fault does; the failure, if that is all it does."""
        fault = self._fault
        if fault.fail is not None:
            return Failure(request_id, fault.fail, f"{self._name} of the script")
        if fault.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.hang:
            health.hang()
        else:
            health.die(f"the scripted engine died: {self._name} of its script")
        return None

    def stalk(self, health: Health) -> None:
        """Strike at random instants as long as the engine works and occurrences are left."""
        while health.works_for(self._draw_wait_s()):
            with self._lock:
                if not self._claim():
                    return
            self.strike("", health)

    def _is_due(self) -> bool:
        if time.monotonic() < self._due_at:
            return False
        self._due_at = time.monotonic() + self._draw_wait_s()
        return True

    def _draw_wait_s(self) -> float:
        return self._random.expovariate(1 / self._fault.every_s) if self._fault.every_s else 0.0

    def _claim(self) -> bool:
        """Make the file of one more occurrence; False if all have been made, by whomever."""
        if self._fault.times is None:
            return True
        while self._next_mark < self._fault.times:
            mark = self._marks / f"{self._name}.{self._next_mark}"
            self._next_mark += 1
            with suppress(FileExistsError):
                mark.touch(exist_ok=False)
                return True
        return False
