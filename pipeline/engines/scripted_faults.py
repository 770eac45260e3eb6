"""How a scripted engine breaks: really, so that what survives it is really tried.

An engine dies or hangs as a whole: every thread that waits for it is told, or waits for ever. A
fault with `times` is limited over all processes and runs: each occurrence claims a file beside the
script before it strikes, so that "hang once, then work" can be written. Delete them to begin anew.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from pipeline.engines.echo import seen
from pipeline.engines.prompt_pattern import PromptPattern
from schemas.errors import EngineDied
from schemas.models import (
    EmbedRequest,
    Failure,
    FailureKind,
    GenerateRequest,
    HiddenRequest,
    LabelRequest,
    RewardRequest,
    ScoreRequest,
)

Request = (
    GenerateRequest | ScoreRequest | LabelRequest | HiddenRequest | RewardRequest | EmbedRequest
)
Effect = Literal["die", "kill", "hang"]


class Fault(PromptPattern):
    """One fault of a script: when it strikes, and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    every_s: float | None = Field(
        None,
        gt=0,
        description="Strikes at random, that often on average in an engine's life, and not by "
        "the prompt.",
    )
    effect: Effect | None = Field(
        None,
        description="`die`: the engine is gone; `kill`: its process is, by SIGKILL, as the system "
        "does when memory runs out; `hang`: it does nothing more.",
    )
    fail: FailureKind | None = Field(None, description="Only the request fails.")
    times: int | None = Field(
        None, ge=1, description="Only so often, over all processes and runs; None: always."
    )

    @model_validator(mode="after")
    def _check_fault(self) -> Self:
        if self.every_s is not None and (self.match is not None or self.regex is not None):
            raise ValueError("a fault strikes by the prompt or at random: `every_s` stands alone")
        if (self.effect is None) == (self.fail is None):
            raise ValueError("a fault has one of `effect` and `fail`")
        return self


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


class Breaker:
    """The faults of a script, for one engine; random ones may strike between requests too.

    In the folder `marks` a file is left for each time that a limited fault struck.
    """

    def __init__(self, faults: Sequence[Fault], marks: Path, health: Health) -> None:
        self._health = health
        self._faults = [_Counted(fault, f"fault-{n}", marks) for n, fault in enumerate(faults)]
        for counted in self._faults:
            if counted.strikes_at_random:
                threading.Thread(target=counted.stalk, args=(health,), daemon=True).start()

    def meet(self, request: Request) -> Failure | None:
        """A request arrives: it may fail, break the engine, or end the process.

        Raises:
            EngineDied: the engine is gone.
        """
        text = request.text if isinstance(request, EmbedRequest) else seen(request.prompt)
        for counted in self._faults:
            if counted.comes_with(text):
                failure = counted.strike(request.request_id, self._health)
                self._health.check()
                return failure
        return None


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
        return self._fault.every_s is not None and self._fault.effect is not None

    def comes_with(self, text: str) -> bool:
        """Whether a request with this prompt brings the fault, and it may still occur."""
        if self.strikes_at_random or not self._fault.matches(text):
            return False
        with self._lock:
            return self._is_due() and self._claim()

    def strike(self, request_id: str, health: Health) -> Failure | None:
        """Do what the fault does; the failure, if that is all it does."""
        match self._fault.effect:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                health.hang()
            case "die":
                health.die(f"the scripted engine died, as planned: {self._name}")
        if self._fault.fail is None:
            return None
        return Failure(request_id, self._fault.fail, f"{self._name} of the script")

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
