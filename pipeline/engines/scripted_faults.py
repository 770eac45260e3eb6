"""How a scripted engine breaks: really, so that what survives it is really tried."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import EngineDied

Effect = Literal["die", "kill", "hang"]


class Fault(BaseModel):
    """One fault of a script."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = Field(description="A text that the prompt must contain.")
    effect: Effect = Field(
        description="`die`: the engine is gone; `kill`: its process is, by SIGKILL, as the system "
        "does when memory runs out; `hang`: it does nothing more."
    )
    times: int | None = Field(
        None, ge=1, description="Only so often, over all processes and runs; None: always."
    )


@dataclass(frozen=True, slots=True)
class Breaker:
    """Breaks the engine where a script says so.

    Attributes:
        marks: folder in which a file is left for each time that a limited fault struck.
    """

    faults: Sequence[Fault]
    marks: Path

    def strike(self, text: str) -> None:
        """Do what the first fault that matches the prompt says; mostly nothing."""
        for number, fault in enumerate(self.faults):
            if fault.match in text and self._is_due(number, fault):
                _break(fault.effect)

    def _is_due(self, number: int, fault: Fault) -> bool:
        if fault.times is None:
            return True
        self.marks.mkdir(exist_ok=True)
        for time in range(fault.times):
            try:
                # Whoever makes the file is struck: others, and later runs, find it there.
                (self.marks / f"fault-{number}-{time}").open("x").close()
            except FileExistsError:
                continue
            return True
        return False


def _break(effect: Effect) -> None:
    match effect:
        case "die":
            raise EngineDied("the scripted engine died, as planned")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()
