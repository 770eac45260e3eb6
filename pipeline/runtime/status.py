"""What an output folder holds, read without touching it: works during a run, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files import read_json
from pipeline.folders import open_folder
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.store import StepFolder
from pipeline.runtime.summary import align
from schemas.errors import InputError


@dataclass(frozen=True, slots=True)
class StepStatus:
    """How far one step is.

    Attributes:
        state: `complete`, `partial` or `waiting`.
        parts, parts_done: None while the step has not been opened.
        report: sums over the committed parts.
    """

    name: str
    folder: StepFolder
    state: str
    parts: int | None
    parts_done: int
    report: StepReport


def read_status(out: Path) -> tuple[str, list[StepStatus]]:
    """The name of the latest run in a folder and how far each of its steps is.

    Raises:
        InputError: no run was ever started there.
    """
    run = read_json(out / "run.json")
    if run is None:
        raise InputError(
            f"{out} holds no run (no run.json). Name the folder given to `prefmill run --out`; "
            "without --out it is runs/<name of the recipe>."
        )
    return run["name"], [_step_status(out, entry) for entry in run["steps"]]


def _step_status(out: Path, entry: dict[str, Any]) -> StepStatus:
    folder = StepFolder(open_folder(entry["folder"]), entry["key"])
    if report := folder.report():
        manifest = folder.manifest()
        parts = manifest["parts"] if manifest else 0
        return StepStatus(entry["step"], folder, "complete", parts, parts, report)
    layout = folder.layout()
    done = list(_committed(folder, len(layout or [])))
    state = "waiting" if layout is None else "partial"
    parts = None if layout is None else len(layout)
    return StepStatus(entry["step"], folder, state, parts, len(done), StepReport.of_parts(done))


def _committed(folder: StepFolder, parts: int) -> Iterator[PartReport]:
    for part in range(parts):
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
            except FileNotFoundError:
                continue
            for row in rejects.to_pylist():
                if reason is None or row["code"] == reason:
                    yield {"step": status.name, **row}


def status_text(name: str, steps: list[StepStatus]) -> str:
    """The status as a table."""
    rows = [
        (
            status.name,
            status.state,
            "-" if status.parts is None else f"{status.parts_done}/{status.parts}",
            f"{status.report.rows_out:,}",
            f"{sum(status.report.rejects.values()):,}",
            ", ".join(f"{code} {n}" for code, n in status.report.rejects.items()),
        )
        for status in steps
    ]
    head = ("step", "state", "parts", "rows", "rejects", "reasons")
    return "\n".join([f"run {name}", *align(head, rows)])
