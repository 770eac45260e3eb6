"""What an output folder holds, read without touching it: works during a run, too."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.files import read_json
from pipeline.folders import open_folder
from pipeline.runtime.command import resume_command
from pipeline.runtime.history import RunHistory, read_history
from pipeline.runtime.in_flight import in_flight_path, kept
from pipeline.runtime.listener import place_of
from pipeline.runtime.measured import kept_figures
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.store import StepFolder
from schemas.errors import InputError

RunState = Literal["running", "finished", "failed", "interrupted", "killed", "unknown"]

_INTERRUPTED_EXIT = 130


@dataclass(frozen=True, slots=True)
class StepStatus:
    """How far one step is.

    Attributes:
        state: `complete`, `partial` or `waiting`.
        parts, parts_done: None while the step has not been opened.
        parts_drafted: parts, drafted or sketched, that wait for the decision over all of them.
        report: sums over the committed parts.
    """

    name: str
    folder: StepFolder
    state: str
    parts: int | None
    parts_done: int
    parts_drafted: int
    report: StepReport


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The latest run in a folder.

    Attributes:
        state: `killed` ended without a word; `unknown` is on another machine, or left no history.
        holder: who has the folder, e.g. `pid 12 on host`; None if nobody said so.
        latest: what the history keeps of the run; None if there is none.
        runs: how many runs the history knows.
        repeated_tokens: about how many were sampled for parts that were then lost.
        figures: what was measured once every step was complete, by name; empty before.
    """

    name: str
    state: RunState
    holder: str | None
    latest: RunHistory | None
    runs: int
    steps: list[StepStatus]
    repeated_tokens: int
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether there may be news: it runs, or may do so on another machine."""
        return self.state == "running" or (self.state == "unknown" and self.holder is not None)

    @property
    def error(self) -> str | None:
        """What ended the run before its time."""
        end = self.latest.end if self.latest else None
        return end["error"] if end else None

    @property
    def resume(self) -> str | None:
        """The command that goes on from here; None while it runs, and when all is done."""
        if self.state in ("running", "finished") or self.latest is None:
            return None
        return resume_command(self.latest.command, self.latest.cwd)


def read_status(out: Path) -> RunStatus:
    """How far the latest run in a folder is.

    Raises:
        InputError: no run was ever started there.
    """
    run = read_json(out / "run.json")
    if run is None:
        raise InputError(
            f"{out} holds no run (no run.json). Name the folder given to `prefmill run --out`; "
            "without --out it is runs/<name of the recipe>."
        )
    if missing := {"name", "steps"} - run.keys():
        raise damaged(out, missing)
    holder = _holder(out)  # before the rest: a run that ends meanwhile is told as it was
    steps: list[StepStatus] = []
    for entry in run["steps"]:
        parent = steps[entry["parent"]] if entry.get("parent") is not None else None
        steps.append(_step_status(out, entry, parent))
    runs = read_history(out)
    latest = runs[-1] if runs else None
    state = _state(holder, latest)
    tokens = _repeated_tokens(out, state, latest, steps)
    figures = kept_figures(out)
    return RunStatus(run["name"], state, holder, latest, len(runs), steps, tokens, figures)


def _holder(out: Path) -> str | None:
    """What `pipeline.runtime.lock` left; also of a run that was killed."""
    try:
        return (out / "work" / "holder").read_text() or None
    except OSError:
        return None


def _state(holder: str | None, latest: RunHistory | None) -> RunState:
    if holder is not None and (alive := _alive(holder)) is not False:
        return "running" if alive else "unknown"
    if latest is None:
        return "unknown" if holder is None else "killed"
    if latest.end is None:
        return "killed"
    code = latest.end["exit_code"]
    if code == 0:
        return "finished"
    return "interrupted" if code == _INTERRUPTED_EXIT else "failed"


def _alive(holder: str) -> bool | None:
    """Whether the process that has the folder lives; None if that cannot be seen from here."""
    match = re.fullmatch(r"pid (\d+) on (.+)", holder.strip())
    if match is None or match[2] != socket.gethostname():
        return None
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it lives, under another user
    return True


def _repeated_tokens(
    out: Path, state: RunState, latest: RunHistory | None, steps: list[StepStatus]
) -> int:
    note = read_json(in_flight_path(out))
    if note is None:  # removed by a run that finished, or nothing was lost
        end = latest.end if latest else None
        return int(end["repeated_tokens"]) if end else 0
    tasks = {} if state == "running" else note["tasks"]
    folders = {step.name: step.folder for step in steps}
    lost = 0
    for task, tokens in tasks.items():
        step, part = place_of(task)
        if step not in folders or not kept(folders[step], part):
            lost += tokens
    return int(note["repeated_tokens"]) + lost


def _step_status(out: Path, entry: dict[str, Any], parent: StepStatus | None) -> StepStatus:
    folder = StepFolder(open_folder(_address(out, entry["folder"])), entry["key"])
    if report := folder.report():
        parts = folder.n_parts()
        return StepStatus(entry["step"], folder, "complete", parts, parts, 0, report)
    layout = folder.layout()
    # A step has as many parts as the one whose rows it takes; a source is cut into some.
    known = parent.parts if parent else (None if layout is None else len(layout))
    done = list(_committed(folder))
    waiting = list(_committed(folder.drafts())) or list(_committed(folder.sketches(0)))
    finished = {report.part for report in done}
    undecided = [report for report in waiting if report.part not in finished]
    begun = bool(done or waiting or layout)
    return StepStatus(
        name=entry["step"],
        folder=folder,
        state="partial" if begun else "waiting",
        parts=known if begun else None,
        parts_done=len(done),
        parts_drafted=len(undecided),
        report=StepReport.of_parts(done),
    )


def damaged(out: Path, missing: Iterable[str]) -> InputError:
    """A `run.json` without what every run writes there."""
    return InputError(
        f"{out / 'run.json'} is damaged: it has no {', '.join(sorted(missing))}. Run the same "
        "recipe into this folder again: it is written anew."
    )


def _address(out: Path, folder: str) -> str:
    """Where a step's folder is: what `run.json` says counts from the output folder."""
    return folder if "://" in folder else str(out / folder)


def _committed(folder: StepFolder) -> Iterator[PartReport]:
    for part in folder.parts_there():
        if report := folder.committed(part):
            yield report


def read_rejects(
    steps: list[StepStatus], step: str | None = None, reason: str | None = None
) -> Iterator[dict[str, Any]]:
    """The rejects of committed parts, optionally of one step or with one reason code."""
    for status in steps:
        if step is not None and status.name != step:
            continue
        for part in range(status.parts or 0):
            try:
                rejects = status.folder.read_rejects(part)
            except FileNotFoundError:  # not there yet
                continue
            for row in rejects.to_pylist():
                if reason is None or row["code"] == reason:
                    yield {"step": status.name, **row}
