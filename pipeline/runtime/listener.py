"""Whoever wants to hear how a run is going."""

from __future__ import annotations

from typing import Protocol

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.reports import PartReport, StepReport


class Listener(Protocol):
    """Hears of a run's progress, always from the thread that runs the loop."""

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """A step's folder was looked at; `reused` if it was complete already."""
        ...

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """A part of the step is committed."""
        ...

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """The worker or engine that had a part died; without `again` the part is given up."""
        ...

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """The step is complete."""
        ...

    def workers(self, live: int, dashboard: str | None) -> None:
        """The number of live workers changed."""
        ...

    def warn(self, message: str) -> None:
        """Something the user should know at once."""
        ...

    def tick(self) -> None:
        """Called several times a second."""
        ...
