"""Counts what happens in a run, for all that show it: terminal, events, metrics, summary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener, place_of
from pipeline.runtime.moves import Phase
from pipeline.runtime.reports import PartReport, StepReport

_GUESS_FROM = 0.1
"""Share of the work known so far that must be done before the time left is told: all that is in
hand began together, so the first to end say little."""

COMPILING = "compiling kernels, once for this machine"


@dataclass
class StepTally:
    """How far one step is. Counts are of this run; parts done before it are apart.

    Attributes:
        parts, done_before: parts in all, and those that were committed before this run.
        report: sums over all parts, once the step is complete.
        reused: it was complete before this run.
        rejects: every rejection, of single answers, too.
        expected, served: requests to models that are known so far, those of lost parts left out.
        told_requests, told_tokens: served and sampled as workers tell it; never goes down.
        kept_tokens: tokens sampled for the parts that were committed.
        doing: what a worker said it is doing while work waits: loading a model, compiling kernels.
        loading_s: from when a worker first said that it loads a model to the first request.
        through: parts that are through each phase of a dataset pass that is not its last.
        applying_since: when it was decided, if that was in this run.
        started, ended: when work on it began and when it was complete, by the tally's clock.
    """

    name: str
    parts: int
    done_before: int = 0
    report: StepReport | None = None
    reused: bool = False
    parts_done: int = 0
    parts_lost: int = 0
    rows_in: int = 0
    rows_out: int = 0
    rejects: int = 0
    expected: int = 0
    served: int = 0
    told_requests: int = 0
    told_tokens: int = 0
    kept_tokens: int = 0
    doing: str = ""
    loading_s: float = 0.0
    started: float | None = None
    ended: float | None = None
    through: dict[Phase, int] = field(default_factory=dict)
    applying_since: float | None = None
    _loading_since: float | None = None
    _serving_since: float | None = None
    _begun: int = 0
    # By part that is in hand: requests expected and served, taken back if it is lost.
    _in_hand: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Work on it has begun and is not complete."""
        return self.started is not None and self.report is None

    def take(self, part: int, message: dict[str, Any], now: float) -> None:
        """Note what a worker tells of a part, see `Listener.tell`."""
        self._begin(now)
        if "compiling" in message:
            self.doing = COMPILING if message["compiling"] else ""
            return
        if "loading" in message:
            self.doing = f"loading {message['loading']}"
            self._loading_since = self._loading_since or now
        if "expect" in message:
            self.doing = ""
            if self._serving_since is None:
                self._serving_since = now
                self.loading_s = now - (self._loading_since or now)
        if part not in self._in_hand:
            self._begun += 1
        expected, served = self._in_hand.get(part, (0, 0))
        more, answered = message.get("expect", 0), message.get("requests", 0)
        self._in_hand[part] = (expected + more, served + answered)
        self.expected += more
        self.served += answered
        self.told_requests += answered
        self.told_tokens += message.get("tokens", 0)

    @property
    def progress(self) -> str:
        """How many parts are through what they are going through now."""
        done, parts = self.done_before + self.parts_done, f"{self.parts:,} parts"
        if done or not self.through or "decide" in self.through:
            return f"{done:,}/{parts}"
        sketched = self.through.get("sketch", 0)
        if sketched == self.parts:
            return f"deciding on {parts}"
        if sketched or "run" not in self.through:
            return f"{sketched:,}/{parts} sketched"
        return f"{self.through['run']:,}/{parts} drafted"

    def passed(self, phase: Phase, parts: int, seconds: float | None, now: float) -> None:
        """Note how many parts are through a phase, see `Listener.passed`."""
        if seconds is not None:
            self._begin(now - seconds)
        if phase != "decide":  # of another round
            self.through.pop("decide", None)
        self.through[phase] = parts
        self.applying_since = now if phase == "decide" and seconds is not None else None

    def done(self, report: PartReport, now: float) -> None:
        """Add a committed part."""
        self._begin(now - report.seconds)
        self._in_hand.pop(report.part, None)
        self.parts_done += 1
        self.rows_in += report.rows_in
        self.rows_out += report.rows_out
        self.rejects += sum(report.rejects.values())
        self.kept_tokens += report.usage.sampled_tokens

    def _begin(self, began: float) -> None:
        """Note when a task was at work; of its beginning nobody may have told."""
        self.started = began if self.started is None else min(self.started, began)

    def lost(self, part: int) -> None:
        """Take back what a part had asked: it will ask again, or never."""
        self.parts_lost += 1
        if part in self._in_hand:
            expected, served = self._in_hand.pop(part)
            self.expected -= expected
            self.served -= served
            self._begun -= 1

    def wall_s(self, now: float) -> float:
        """Seconds from the first sign of work in this run to completion, or to now."""
        if self.started is None:
            return 0.0
        return (self.ended if self.ended is not None else now) - self.started

    def tokens_per_s(self, now: float) -> float | None:
        """Tokens sampled per second since the first request; None before."""
        if self._serving_since is None or not self.told_tokens:
            return None
        end = self.ended if self.ended is not None else now
        return self.told_tokens / max(end - self._serving_since, 1e-6)

    def left_s(self, now: float) -> float | None:
        """Seconds until the step is complete at its pace so far; None without ground for it.

        Where models are asked, requests say more than parts: many parts are in hand together and
        end together.
        """
        to_do = self.parts - self.done_before
        if self.expected:
            since, known = self._serving_since, min(self.served / self.expected, 1)
            share = known * self._begun / max(to_do, 1)
        else:
            since = self.started if self.applying_since is None else self.applying_since
            known = share = self.parts_done / max(to_do, 1)
        if since is None or known < _GUESS_FROM or share >= 1:
            return None
        return (now - since) * (1 - share) / share


class Tally(Listener):
    """Keeps a `StepTally` for each step, in order.

    Attributes:
        clock: seconds; monotonic.
        live: workers that are alive.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.live = 0
        self._steps: dict[str, StepTally] = {}
        # Workers tell from threads of their own, and metrics are read from one.
        self._lock = threading.Lock()

    @property
    def steps(self) -> list[StepTally]:
        """The steps opened so far."""
        with self._lock:
            return list(self._steps.values())

    def step(self, name: str) -> StepTally:
        """One step by name; raises KeyError before it is opened."""
        return self._steps[name]

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `Listener`."""
        name = step.step.name
        with self._lock:
            self._steps[name] = StepTally(name, parts, done, reused, reused is not None)

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """See `Listener`."""
        with self._lock:
            self._steps[step.step.name].done(report, self.clock())

    def passed(self, step: KeyedStep, phase: Phase, parts: int, seconds: float | None) -> None:
        """See `Listener`."""
        with self._lock:
            self._steps[step.step.name].passed(phase, parts, seconds, self.clock())

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """See `Listener`."""
        with self._lock:
            tally = self._steps[step.step.name]
            tally.report, tally.ended = report, self.clock()

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """See `Listener`."""
        with self._lock:
            self._steps[step.step.name].lost(part)

    def workers(self, live: int, dashboard: str | None) -> None:
        """See `Listener`."""
        self.live = live

    def tell(self, message: dict[str, Any]) -> None:
        """See `Listener`."""
        step, part = place_of(message["task"])
        with self._lock:
            if (tally := self._steps.get(step)) is not None:
                tally.take(part, message, self.clock())
