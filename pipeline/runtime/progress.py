"""Tells a person how a run is going: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import IO, Any

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.reports import PartReport, StepReport

_PLAIN_EVERY_S = 10.0
_GUESS_FROM = 0.1
"""Share of the requests that must be served before the time left is told."""


@dataclass
class Pace:
    """How far the step in hand is.

    Attributes:
        expected, served: requests of the model calls that are known so far.
        tokens: tokens sampled.
        doing: what a worker said it is doing, e.g. loading a model.
    """

    step: str
    parts: int
    parts_done: int
    started: float
    rows: int = 0
    expected: int = 0
    served: int = 0
    tokens: int = 0
    serving_since: float | None = None
    doing: str = ""

    def take(self, message: dict[str, Any], now: float) -> None:
        """Note what a worker tells (see `pipeline.runtime.model_pool.ModelPool.tell`)."""
        if "loading" in message:
            self.doing = f"loading {message['loading']}"
        if "expect" in message:
            self.doing = ""
            self.expected += message["expect"]
            self.serving_since = self.serving_since or now
        self.served += message.get("requests", 0)
        self.tokens += message.get("tokens", 0)

    def left_s(self, now: float) -> float | None:
        """Seconds until the requests known so far are served, at the pace so far."""
        if self.serving_since is None or self.served >= self.expected:
            return None
        if self.served < _GUESS_FROM * self.expected:
            return None  # all begin together, so the first to end say little
        return (now - self.serving_since) / self.served * (self.expected - self.served)

    def line(self, now: float) -> str:
        """One line for a person."""
        parts = [self.step, f"part {min(self.parts_done + 1, self.parts)}/{self.parts}"]
        if self.rows:
            parts.append(f"{self.rows} rows")
        if self.doing:
            parts.append(self.doing)
        if self.expected:
            parts.append(f"{min(self.served, self.expected)}/{self.expected} requests")
        if self.tokens and self.serving_since is not None:
            rate = self.tokens / max(now - self.serving_since, 1e-6)
            parts.append(f"{rate:.0f} tokens/s")
        if (left := self.left_s(now)) is not None:
            parts.append(f"{duration(left)} left")
        return " · ".join(parts)


@dataclass
class Progress:
    """A `pipeline.runtime.run.Listener` that writes to a stream (standard error by default)."""

    stream: IO[str] = field(default_factory=lambda: sys.stderr)
    quiet: bool = False
    reports: dict[int, tuple[StepReport, bool]] = field(default_factory=dict)
    pace: Pace | None = None
    _shown_at: float = 0.0

    def __post_init__(self) -> None:
        self._live = self.stream.isatty() and not self.quiet

    def tell(self, message: dict[str, Any]) -> None:
        """Take a worker's message; may be called from another thread."""
        pace = self.pace
        if pace is not None:
            pace.take(message, time.monotonic())

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `pipeline.runtime.run.Listener`."""
        name = step.step.name
        if reused is not None:
            self.reports[step.number] = (reused, True)
            self.say(f"{name}: {reused.rows_out} rows, done before")
            return
        self.pace = Pace(name, parts, done, time.monotonic())
        if done:
            self.say(f"{name}: {done} of {parts} parts done before")

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """See `pipeline.runtime.run.Listener`."""
        if self.pace is not None:
            self.pace.parts_done += 1
            self.pace.rows += report.rows_out

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """See `pipeline.runtime.run.Listener`."""
        self.reports[step.number] = (report, False)
        took = duration(time.monotonic() - self.pace.started) if self.pace else ""
        self.pace = None
        turned = f", {sum(report.rejects.values())} rejects" if report.rejects else ""
        self.say(f"{step.step.name}: {report.rows_in} -> {report.rows_out} rows{turned} ({took})")

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """See `pipeline.runtime.run.Listener`."""
        self.warn(f"{step.step.name}, part {part}: {cause}; nothing of it was committed")

    def workers(self, live: int, dashboard: str | None) -> None:
        """See `pipeline.runtime.run.Listener`."""

    def warn(self, message: str) -> None:
        """See `pipeline.runtime.run.Listener`."""
        self.say(f"warning: {message}")

    def tick(self) -> None:
        """See `pipeline.runtime.run.Listener`."""
        now = time.monotonic()
        wait = _TICK_S if self._live else _PLAIN_EVERY_S
        if self.pace is None or self.quiet or now - self._shown_at < wait:
            return
        first = self._shown_at == 0.0
        self._shown_at = now
        if self._live:
            self.stream.write("\r\x1b[K" + self.pace.line(now)[:110])
            self.stream.flush()
        elif not first:
            self.stream.write(self.pace.line(now) + "\n")
            self.stream.flush()

    def say(self, message: str) -> None:
        """Write one line that stays."""
        if self.quiet:
            return
        self.stream.write(("\r\x1b[K" if self._live else "") + message + "\n")
        self.stream.flush()


_TICK_S = 0.2


def duration(seconds: float) -> str:
    """Seconds as a person says them: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
