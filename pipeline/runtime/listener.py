"""What looks on while a run goes, and how several of them do so at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.moves import Phase
from pipeline.runtime.reports import PartReport, StepReport


class Listener(Protocol):
    """Hears of a run's progress: from one thread, `tell` excepted.

    A class that inherits from it minds nothing but what it overrides.
    """

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """A step was looked at: `done` of its parts are there; `reused` if it is complete.

        All steps are opened before work on the first begins.
        """
        return

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """A part of the step is committed. Parts of several steps are in hand at a time."""
        return

    def passed(self, step: KeyedStep, phase: Phase, parts: int, seconds: float | None) -> None:
        """So many parts are through a phase of the step's dataset pass that is not its last.

        After the phase `decide` they all are, unless none are through `sketch` again: then another
        round begins. `seconds` are those of the task that got it there; None: an earlier run did.
        """
        return

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """The step is complete."""
        return

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """The worker or the engine that had a part is gone; without `again` it is set aside."""
        return

    def workers(self, live: int, dashboard: str | None) -> None:
        """The number of live workers changed; `dashboard` is a link, where there is one."""
        return

    def warn(self, message: str) -> None:
        """Something the user should know at once."""
        return

    def tick(self) -> None:
        """Called several times a second."""
        return

    def tell(self, message: dict[str, Any]) -> None:
        """Take a worker's message; called from any thread.

        `{"task": id}` with `{"loading": name}`, `{"expect": n}` or `{"requests": n, "tokens": n}`,
        see `pipeline.runtime.model_pool`, or with `{"compiling": bool}`; or `{"warning": text}`.
        """
        return


class Fanout(Listener):
    """Passes everything on to several listeners, in their order. What they raise, it raises."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = list(listeners)
        self._home: int | None = None

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `Listener`."""
        self._home = threading.get_ident()
        for listener in self.listeners:
            listener.opened(step, parts, done, reused)

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.part_done(step, report)

    def passed(self, step: KeyedStep, phase: Phase, parts: int, seconds: float | None) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.passed(step, phase, parts, seconds)

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.closed(step, report)

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.part_lost(step, part, cause, again)

    def workers(self, live: int, dashboard: str | None) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.workers(live, dashboard)

    def warn(self, message: str) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.warn(message)

    def tick(self) -> None:
        """See `Listener`."""
        for listener in self.listeners:
            listener.tick()

    def tell(self, message: dict[str, Any]) -> None:
        """See `Listener`; a warning goes to `warn`."""
        if "warning" in message:
            self.warn(message["warning"])
            return
        for listener in self.listeners:
            listener.tell(message)
        if threading.get_ident() == self._home:
            # Parts run in the runner's own thread here, so it cannot tick while one runs.
            self.tick()


def place_of(task: str) -> tuple[str, int]:
    """The step and the part of a task id, `<step>/<phase>/<part>`."""
    step, _, part = task.split("/")
    return step, int(part)
