"""What a run came to, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.progress import duration
from pipeline.runtime.reports import StepReport


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of the summary; `reused` if it was complete before this run."""

    name: str
    report: StepReport
    reused: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    name: str
    steps: tuple[StepLine, ...]
    seconds: float
    out: Path
    datasets: dict[str, int]
    """Rows by dataset config; empty while the run is not finished."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "out": str(self.out),
            "dataset": str(self.out / "dataset") if self.datasets else None,
            "rows": self.datasets,
            "steps": [
                {"step": line.name, "reused": line.reused, **asdict(line.report)}
                for line in self.steps
            ],
        }

    def as_text(self) -> str:
        """Rows by step, rejects by reason, tokens, time, paths."""
        lines = [*_step_table(self.steps), "", *_reject_table(self.steps)]
        new = [line for line in self.steps if not line.reused]
        sampled = sum(line.report.usage.sampled_tokens for line in new)
        prompts = sum(line.report.usage.prompt_tokens for line in new)
        lines += [f"{sampled:,} tokens sampled, {prompts:,} read, in {duration(self.seconds)}"]
        if not new:
            lines += ["Nothing to do: every step was complete."]
        lines += [
            f"  {self.out / 'dataset' / config}  {rows} rows"
            for config, rows in self.datasets.items()
        ]
        if self.datasets:
            lines += [f"  {self.out / 'dataset' / 'README.md'}  dataset card"]
        if any(line.report.rejects for line in self.steps):
            lines += [f"Rejects: prefmill status {self.out} --rejects"]
        return "\n".join(lines)


def _step_table(steps: Sequence[StepLine]) -> list[str]:
    head = ("step", "in", "out", "rejects", "tokens", "time")
    rows = [
        (
            line.name,
            f"{line.report.rows_in:,}",
            f"{line.report.rows_out:,}",
            f"{sum(line.report.rejects.values()):,}",
            f"{line.report.usage.sampled_tokens:,}",
            "done before" if line.reused else duration(line.report.seconds),
        )
        for line in steps
    ]
    return align(head, rows)


def _reject_table(steps: Sequence[StepLine]) -> list[str]:
    rows = [
        (line.name, code, f"{count:,}")
        for line in steps
        for code, count in sorted(line.report.rejects.items(), key=lambda item: -item[1])
    ]
    return [*align(("rejected in", "reason", "count"), rows), ""] if rows else []


def align(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    numeric = [
        bool(rows) and all(row[i].replace(",", "").isdigit() for row in rows)
        for i in range(len(head))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return [line(head), line(["-" * width for width in widths]), *map(line, rows)]
