"""The status of a run for people, and for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pipeline.runtime.command import HIDDEN
from pipeline.runtime.status import RunStatus, StepStatus
from pipeline.runtime.summary import align

_SHOWN_LOSSES = 10


def status_json(status: RunStatus) -> dict[str, Any]:
    """For `status --json`."""
    latest = status.latest
    lost = [
        {name: event[name] for name in ("time", "step", "part", "cause", "again")}
        for event in (latest.lost if latest else [])
    ]
    return {
        "name": status.name,
        "state": status.state,
        "holder": status.holder,
        "run": latest.id if latest else None,
        "runs": status.runs,
        "started": latest.started if latest else None,
        "ended": latest.end["time"] if latest and latest.end else None,
        "exit_code": latest.end["exit_code"] if latest and latest.end else None,
        "error": status.error,
        "warnings": latest.warnings if latest else [],
        "parts_lost": lost,
        "repeated_tokens": status.repeated_tokens,
        "resume": status.resume,
        "figures": status.figures,
        "steps": [_step_json(step) for step in status.steps],
    }


def _step_json(step: StepStatus) -> dict[str, Any]:
    return {
        "step": step.name,
        "state": step.state,
        "parts": step.parts,
        "parts_done": step.parts_done,
        "parts_drafted": step.parts_drafted,
        **asdict(step.report),
    }


def status_text(status: RunStatus) -> str:
    """For a terminal."""
    lines = [f"run {status.name}: {_state(status)}", *_table(status.steps), ""]
    if status.error:
        lines.append(f"ended with exit code {_exit_code(status)}: {status.error}")
    lines += _losses(status)
    if status.repeated_tokens:
        lines.append(f"about {status.repeated_tokens:,} tokens sampled for parts that were lost")
    if status.resume:
        lines.append(f"to go on: {status.resume}")
        if HIDDEN in status.resume:
            lines.append(f"    ({HIDDEN} stands for a secret, which was not kept)")
    return "\n".join(lines).rstrip()


def _state(status: RunStatus) -> str:
    latest, parts = status.latest, []
    match status.state:
        case "running":
            parts.append(f"running ({status.holder})")
        case "killed":
            parts.append("killed; its process is gone and said nothing")
        case "unknown" if status.holder:
            parts.append(f"perhaps running ({status.holder}, which cannot be seen from here)")
        case "unknown":
            parts.append("not running")
        case other:
            parts.append(other)
    if latest is not None:
        parts.append(f"started {_utc(latest.started)}")
        if latest.end is not None and status.state != "running":
            parts.append(f"ended {_utc(latest.end['time'])}")
    return ", ".join(parts)


def _utc(time: str) -> str:
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC"


def _exit_code(status: RunStatus) -> int | None:
    return status.latest.end["exit_code"] if status.latest and status.latest.end else None


def _losses(status: RunStatus) -> list[str]:
    lost = status.latest.lost if status.latest else []
    lines = [
        f"{'lost' if event['again'] else 'set aside'}: {event['step']}, part {event['part']}: "
        f"{event['cause']}"
        for event in lost[-_SHOWN_LOSSES:]
    ]
    if len(lost) > _SHOWN_LOSSES:
        lines.insert(0, f"{len(lost)} parts were lost; the last of them:")
    return lines


def _table(steps: list[StepStatus]) -> list[str]:
    rows = [
        (
            step.name,
            step.state,
            _parts(step),
            f"{step.report.rows_out:,}",
            f"{sum(step.report.rejects.values()):,}",
            f"{step.report.usage.sampled_tokens:,}",
            ", ".join(f"{code} {n:,}" for code, n in step.report.rejects.items()),
        )
        for step in steps
    ]
    head = ("step", "state", "parts", "rows", "rejects", "tokens", "reasons")
    return align(head, rows)


def _parts(step: StepStatus) -> str:
    if step.parts is None:
        return "-"
    drafted = f" (+{step.parts_drafted:,} drafts)" if step.parts_drafted else ""
    return f"{step.parts_done:,}/{step.parts:,}{drafted}"
