"""What happens in a run, as events for programs.

Each is an object with `time` (UTC, ISO 8601), `event`, `run` (identity of this run) and its own
fields:

    run_started   name, out, command, cwd, pid, host
    step_opened   step, parts, parts_done, reused
    part_done     step, part, rows_in, rows_out, lost, failed, rejects, requests, tokens, seconds
    decided       step, parts, seconds: a dataset pass has decided on all of its parts
    part_lost     step, part, cause, again (false: the part is set aside)
    step_closed   step, key, the sums over its parts, wall_s; rows_worked: rows in of the parts made
                  in this run; loading_s: of wall_s, until its model was open
    workers       live, dashboard
    warning       message
    progress      every two seconds: workers, tokens_per_s, and of each step in hand: step, parts,
                  parts_done, rows_in, rows_out, rejects, requests, requests_expected, tokens,
                  tokens_per_s, left_s
    run_ended     exit_code, error, seconds, repeated_tokens, summary (as of `run --json`, or null)

`<out>/history.jsonl` keeps run_started, part_lost, step_closed, warning and run_ended (without its
summary) of all runs in a folder.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline.runtime.event_log import EventLog
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.listener import Listener
from pipeline.runtime.moves import Phase
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.tally import StepTally, Tally

_KEPT = ("run_started", "part_lost", "step_closed", "warning", "run_ended")
_PROGRESS_EVERY_S = 2.0


class Events(Listener):
    """Writes events to a log, if there is one, and those worth keeping to the history.

    The history begins when the first step is opened: not before, the output folder may be in the
    hands of another run.
    """

    def __init__(self, tally: Tally, history: EventLog, log: EventLog | None) -> None:
        self.run = uuid4().hex
        self._tally = tally
        self._history = history
        self._log = log
        self._held: list[dict[str, Any]] | None = []
        self._told_at = tally.clock()
        self._told_tokens = 0
        self._began = tally.clock()

    def started(self, name: str, out: Path, command: list[str]) -> None:
        """The run begins; `command` is what was typed, without secrets."""
        self._emit(
            "run_started",
            name=name,
            out=str(out),
            command=command,
            cwd=str(Path.cwd()),
            pid=os.getpid(),
            host=socket.gethostname(),
        )

    def ended(
        self, exit_code: int, error: str | None, repeated: int, summary: dict[str, Any] | None
    ) -> None:
        """The run is over; nothing is heard after it."""
        self._emit(
            "run_ended",
            exit_code=exit_code,
            error=error,
            seconds=round(self._tally.clock() - self._began, 3),
            repeated_tokens=repeated,
            summary=summary,
        )

    def opened(self, step: KeyedStep, parts: int, done: int, reused: StepReport | None) -> None:
        """See `Listener`."""
        if self._held is not None:
            held, self._held = self._held, None
            for record in held:
                self._history.write(record)
        name = step.step.name
        self._emit(
            "step_opened", step=name, parts=parts, parts_done=done, reused=reused is not None
        )

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        """See `Listener`."""
        self._emit(
            "part_done",
            step=step.step.name,
            part=report.part,
            rows_in=report.rows_in,
            rows_out=report.rows_out,
            lost=report.lost,
            failed=report.failed,
            rejects=report.rejects,
            requests=report.usage.requests,
            tokens=report.usage.sampled_tokens,
            seconds=round(report.seconds, 3),
        )

    def passed(self, step: KeyedStep, phase: Phase, parts: int, seconds: float | None) -> None:
        """See `Listener`."""
        if phase == "decide" and seconds is not None:
            self._emit("decided", step=step.step.name, parts=parts, seconds=round(seconds, 3))

    def closed(self, step: KeyedStep, report: StepReport) -> None:
        """See `Listener`."""
        tally = self._tally.step(step.step.name)
        self._emit(
            "step_closed",
            step=step.step.name,
            key=step.key,
            **asdict(report),
            wall_s=round(tally.wall_s(self._tally.clock()), 3),
            rows_worked=tally.rows_in,
            loading_s=round(tally.loading_s, 3),
        )

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        """See `Listener`."""
        self._emit("part_lost", step=step.step.name, part=part, cause=cause, again=again)

    def workers(self, live: int, dashboard: str | None) -> None:
        """See `Listener`."""
        self._emit("workers", live=live, dashboard=dashboard)

    def warn(self, message: str) -> None:
        """See `Listener`."""
        self._emit("warning", message=message)

    def tick(self) -> None:
        """See `Listener`."""
        now = self._tally.clock()
        passed = now - self._told_at
        if self._log is None or passed < _PROGRESS_EVERY_S:
            return
        steps = self._tally.steps
        tokens = sum(step.told_tokens for step in steps)
        self._emit(
            "progress",
            workers=self._tally.live,
            tokens_per_s=round((tokens - self._told_tokens) / passed, 1),
            steps=[_progress(step, now) for step in steps if step.active],
        )
        self._told_at, self._told_tokens = now, tokens

    def _emit(self, event: str, **fields: Any) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"time": time, "event": event, "run": self.run, **fields}
        if self._log is not None:
            self._log.write(record)
        if event not in _KEPT:
            return
        record.pop("summary", None)
        if self._held is None:
            self._history.write(record)
        else:
            self._held.append(record)


def _progress(step: StepTally, now: float) -> dict[str, Any]:
    rate, left = step.tokens_per_s(now), step.left_s(now)
    return {
        "step": step.name,
        "parts": step.parts,
        "parts_done": step.done_before + step.parts_done,
        "rows_in": step.rows_in,
        "rows_out": step.rows_out,
        "rejects": step.rejects,
        "requests": step.served,
        "requests_expected": step.expected,
        "tokens": step.told_tokens,
        "tokens_per_s": None if rate is None else round(rate, 1),
        "left_s": None if left is None else round(left, 1),
    }
