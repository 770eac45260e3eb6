"""What became of the runs in an output folder, read from `history.jsonl`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.runtime.event_log import read_log


def history_path(out: Path) -> Path:
    """Where the history of an output folder lies; see `pipeline.runtime.events`."""
    return out / "history.jsonl"


@dataclass
class RunHistory:
    """One run.

    Attributes:
        id: identity of the run.
        started: UTC, ISO 8601.
        command: the words of the command line after `prefmill`, without secrets.
        cwd: the folder it was typed in.
        lost: its `part_lost` events.
        warnings: their texts.
        end: its `run_ended` event; None if it goes on, or was killed.
    """

    id: str
    started: str
    command: list[str]
    cwd: str
    lost: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    end: dict[str, Any] | None = None


def read_history(out: Path) -> list[RunHistory]:
    """The runs in an output folder, oldest first."""
    runs: dict[str, RunHistory] = {}
    for record in read_log(history_path(out)):
        name, event = record["run"], record["event"]
        if event == "run_started":
            runs[name] = RunHistory(name, record["time"], record["command"], record["cwd"])
        elif (run := runs.get(name)) is None:
            continue  # the disk was full when it started
        elif event == "part_lost":
            run.lost.append(record)
        elif event == "warning":
            run.warnings.append(record["message"])
        elif event == "run_ended":
            run.end = record
    return list(runs.values())
