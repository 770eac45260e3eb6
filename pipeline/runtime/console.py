"""Tells a person how a run is going: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from typing import TextIO
from unicodedata import east_asian_width

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.reports import StepReport
from pipeline.runtime.tally import StepTally, Tally

_LIVE_EVERY_S = 0.2
_PLAIN_EVERY_S = 10.0


class Console(Listener):
    """Shows a tally, with a line for each step in hand, and says what happens.

    On a terminal the lines are drawn in place, below what was said; elsewhere they come every ten
    seconds. If quiet, only warnings are written.
    """

    def __init__(self, tally: Tally, stream: TextIO, quiet: bool) -> None:
        self._tally = tally
        self._stream = stream
        self._quiet = quiet
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb" and not quiet
        self._waiting: deque[str] = deque()
        self._writing = threading.Lock()
        self._drawn = 0
        self._shown_at: float | None = None
        self._dashboard: str | None = None

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `Listener`."""
        name = step.step.name
        if reused is not None:
            self.say(f"{name}: {reused.rows_out:,} rows, done before")
        elif done:
            self.say(f"{name}: {done:,} of {parts:,} parts done before")

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """See `Listener`."""
        name = step.step.name
        took = duration(self._tally.step(name).wall_s(self._tally.clock()))
        rejects = sum(report.rejects.values())
        turned = f", {rejects:,} rejects" if rejects else ""
        self.say(f"{name}: {report.rows_in:,} -> {report.rows_out:,} rows{turned} ({took})")

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """See `Listener`."""
        next_step = "it will be done again" if again else "the part is set aside"
        self.warn(f"{step.step.name}, part {part}: {cause}; {next_step}")

    def workers(self, live: int, dashboard: str | None) -> None:
        """See `Listener`."""
        if dashboard is not None and dashboard != self._dashboard:
            self._dashboard = dashboard
            self.say(f"dashboard: {dashboard}")

    def warn(self, message: str) -> None:
        """See `Listener`; also if quiet."""
        self._waiting.append(f"warning: {message}")
        self._show()

    def say(self, message: str) -> None:
        """Write one line that stays. May be called from any thread or signal handler."""
        if not self._quiet:
            self._waiting.append(message)
            self._show()

    def tick(self) -> None:
        """See `Listener`."""
        now = self._tally.clock()
        if self._shown_at is None:
            self._shown_at = now
        due = now - self._shown_at >= (_LIVE_EVERY_S if self._live else _PLAIN_EVERY_S)
        if due:
            self._shown_at = now
            if not self._live and not self._quiet:
                self._waiting.extend(step_line(step, now) for step in self._active())
        if self._waiting or (due and self._live):
            self._show()

    def close(self) -> None:
        """Leave only the lines that stay."""
        self._live = False
        self._show()

    def _active(self) -> list[StepTally]:
        return [step for step in self._tally.steps if step.active]

    def _show(self) -> None:
        """Write what waits and draw the live lines anew below it."""
        # A signal may come while its own thread writes: what it says then waits for the next tick.
        if not self._writing.acquire(blocking=False):
            return
        try:
            stay = [self._waiting.popleft() for _ in range(len(self._waiting))]
            erase = f"\r\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
            lines = self._live_lines() if self._live else []
            self._drawn = len(lines)
            text = erase + "".join(f"{line}\n" for line in (*stay, *lines))
            if text:
                self._stream.write(writable(text, self._stream.encoding))
                self._stream.flush()
        finally:
            self._writing.release()

    def _live_lines(self) -> list[str]:
        now = self._tally.clock()
        columns, rows = self._size()
        # A line that wraps, or one more than fit, could not be erased again.
        shown = self._active()[: max(rows - 1, 1)]
        return [cut(step_line(step, now), columns - 1) for step in shown]

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):  # no real terminal behind the stream
            size = shutil.get_terminal_size()
        return size.columns or 80, size.lines or 24


def step_line(step: StepTally, now: float) -> str:
    """How far a step is, in one line; what matters most comes first, as terminals are narrow."""
    facts = [step.progress]
    if step.doing:
        facts.append(step.doing)
    if step.parts_done:
        facts += [f"{step.rows_in:,} in", f"{step.rows_out:,} out", f"{step.rejects:,} rejects"]
    if (rate := step.tokens_per_s(now)) is not None:
        facts.append(f"{rate:,.0f} tokens/s")
    if (left := step.left_s(now)) is not None:
        facts.append(f"{duration(left)} left")
    if step.expected:
        facts.append(f"{min(step.served, step.expected):,}/{step.expected:,} requests")
    return f"{step.name}: {', '.join(facts)}"


def cut(text: str, columns: int) -> str:
    """As much of a line as a terminal of that width shows; some characters take two columns."""
    used = 0
    for place, character in enumerate(text):
        used += 2 if east_asian_width(character) in "WF" else 1
        if used > columns:
            return text[:place]
    return text


def writable(text: str, encoding: str | None) -> str:
    """The text with escapes for what an encoding has no characters for."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)


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
