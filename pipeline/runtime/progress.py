"""The listener that a run is given: counts, shows, and passes everything on to further ones."""

from __future__ import annotations

import sys
from typing import TextIO

from pipeline.runtime.console import Console
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Fanout
from pipeline.runtime.reports import StepReport
from pipeline.runtime.tally import Tally


class Progress(Fanout):
    """Counts a run and shows it on a stream (standard error by default).

    Attributes:
        tally: the counts; first to hear, so that the others can read them.
        console: what a person sees.
        reports: by number of step: its report, and whether it was complete before this run.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        quiet: bool = False,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self.console = Console(self.tally, stream or sys.stderr, quiet)
        self.reports: dict[int, tuple[StepReport, bool]] = {}
        super().__init__([self.tally, self.console])

    def say(self, message: str) -> None:
        """Write one line that stays. May be called from any thread or signal handler."""
        self.console.say(message)

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `Listener`."""
        if reused is not None:
            self.reports[step.number] = (reused, True)
        super().opened(step, parts, done, reused)

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """See `Listener`."""
        self.reports[step.number] = (report, False)
        super().closed(step, report)
