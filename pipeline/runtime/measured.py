"""Figures of a run by name, why others cannot be had, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.files import read_json
from schemas.figures import REJECTS, STEPS


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of a run.

    Attributes:
        values: by name; what cannot be had is not in it.
        missing: why figures cannot be had, by name or by what their names begin with.
    """

    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> float | None:
        """A figure; None if it cannot be had. A reason for which no row was lost is a plain 0."""
        if name in self.values:
            return self.values[name]
        head, *rest = name.split(".")
        is_reason = head == STEPS and len(rest) == 3 and rest[1] == REJECTS
        return 0.0 if is_reason and self.values.get(f"{STEPS}.{rest[0]}.rows_in") else None

    def why(self, name: str) -> str:
        """Why a figure cannot be had."""
        parts = name.split(".")
        for n in range(len(parts), 0, -1):
            if reason := self.missing.get(".".join(parts[:n])):
                return reason
        return "nothing in this run has it"


def figures_path(out: Path) -> Path:
    """Where the figures of the latest run in an output folder lie."""
    return out / "figures.json"


def kept_figures(out: Path) -> dict[str, float]:
    """The figures of the latest run in an output folder; none while it is not finished."""
    kept, run = read_json(figures_path(out)) or {}, read_json(out / "run.json") or {}
    keys = [step.get("key") for step in run.get("steps", ())]
    return dict(kept["figures"]) if kept.get("of", {}).get("keys") == keys else {}
