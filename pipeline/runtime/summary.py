"""What a run came to, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.dataset.figure_words import figures_text
from pipeline.runtime.console import duration
from pipeline.runtime.reports import StepReport
from pipeline.runtime.tally import Tally


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of the summary; `reused` if it was complete before this run.

    Attributes:
        wall_s: from the first sign of work on it in this run to its end. Steps overlap, and parts
            of a step do: their sum, like the sum of the models' time, may be more or less.
        sampled_tokens: by this run, for parts that were committed.
    """

    name: str
    report: StepReport
    reused: bool
    wall_s: float | None = None
    sampled_tokens: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens sampled for committed parts, per second of wall time; None if there are none."""
        if not self.wall_s or not self.sampled_tokens:
            return None
        return self.sampled_tokens / self.wall_s

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        rate = self.tokens_per_s
        return {
            "step": self.name,
            "reused": self.reused,
            **asdict(self.report),
            "figures": dict(self.figures),
            "wall_s": None if self.wall_s is None else round(self.wall_s, 3),
            "tokens_per_s": None if rate is None else round(rate, 1),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    name: str
    steps: tuple[StepLine, ...]
    seconds: float
    out: Path
    datasets: dict[str, int]
    """Rows by dataset config; empty while the run is not finished."""
    repeated_tokens: int = 0
    """Sampled for parts that were then lost, so sampled again; about, if a run was killed."""
    notes: tuple[str, ...] = ()
    """What a person should know of the dataset."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by name; see `schemas.figures`."""
    views: tuple[Path, ...] = ()
    """Folders of the dataset in consumers' layouts."""

    def with_pace(self, tally: Tally, repeated_tokens: int) -> Summary:
        """The same with what was seen while the run went."""
        seen = {step.name: step for step in tally.steps if step.started is not None}
        lines = [
            replace(line, wall_s=step.wall_s(tally.clock()), sampled_tokens=step.kept_tokens)
            if (step := seen.get(line.name))
            else line
            for line in self.steps
        ]
        return replace(self, steps=tuple(lines), repeated_tokens=repeated_tokens)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "out": str(self.out),
            "dataset": str(self.out / "dataset") if self.datasets else None,
            "rows": self.datasets,
            "figures": dict(self.figures),
            "exports": [str(folder) for folder in self.views],
            "repeated_tokens": self.repeated_tokens,
            "notes": list(self.notes),
            "steps": [line.as_json() for line in self.steps],
        }

    def as_text(self) -> str:
        """Rows by step, rejects by reason, tokens, time, paths."""
        lines = [*_step_table(self.steps), "", *_reject_table(self.steps)]
        lines += [f"{s.name}: {figures_text(s.figures)}" for s in self.steps if s.figures]
        new = [line for line in self.steps if not line.reused]
        sampled = sum(line.report.usage.sampled_tokens for line in new)
        prompts = sum(line.report.usage.prompt_tokens for line in new)
        cached = sum(line.report.usage.cached_tokens for line in new)
        read = f"{prompts:,} read" + (f" ({cached / prompts:.0%} cached)" if cached else "")
        lines += [f"{sampled:,} tokens sampled, {read}, in {duration(self.seconds)}"]
        lines += [
            f"{line.name}: {cut:,} texts did not fit the model's window; it saw a part of them"
            for line in new
            if (cut := line.report.usage.cut_texts)
        ]
        if self.repeated_tokens:
            lines += [f"{self.repeated_tokens:,} tokens were sampled twice: their parts were lost"]
        if not new:
            lines += ["Nothing to do: every step was complete."]
        lines += [
            f"  {self.out / 'dataset' / config}  {rows} rows"
            for config, rows in self.datasets.items()
        ]
        if self.datasets:
            lines += [f"  {self.out / 'dataset' / 'README.md'}  dataset card"]
        lines += [
            f"  {view}  `prefmill export {self.out} --layout {view.name}` says how to train on it"
            for view in self.views
        ]
        if any(line.report.rejects for line in self.steps):
            lines += [f"Rejects: prefmill status {self.out} --rejects"]
        return "\n".join([*lines, *self.notes])


def _step_table(steps: Sequence[StepLine]) -> list[str]:
    head = ("step", "in", "out", "rejects", "tokens", "tokens/s", "in models", "time")
    rows = [
        (
            line.name,
            f"{line.report.rows_in:,}",
            f"{line.report.rows_out:,}",
            f"{sum(line.report.rejects.values()):,}",
            f"{line.report.usage.sampled_tokens:,}",
            "-" if line.tokens_per_s is None else f"{line.tokens_per_s:,.0f}",
            duration(line.report.usage.engine_s) if line.report.usage.requests else "-",
            _time(line),
        )
        for line in steps
    ]
    return align(head, rows)


def _time(line: StepLine) -> str:
    if line.reused:
        return "done before"
    return "-" if line.wall_s is None else duration(line.wall_s)


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
    columns = [{row[i] for row in rows} - {"-"} for i in range(len(head))]
    numeric = [
        bool(cells) and all(cell.replace(",", "").isdigit() for cell in cells) for cells in columns
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return [line(head), line(["-" * width for width in widths]), *map(line, rows)]
