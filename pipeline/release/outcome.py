"""What a refresh came to, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.compare.structure import Diff
from pipeline.compare.words import diff_json, diff_text
from pipeline.runtime.summary import Summary, align


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh came to.

    Attributes:
        number: of the release: the new one, or the last if nothing is new.
        place: where it was published; None if nothing was.
        rows, added: rows by config, all and new.
        diff: to the last release; None if there is none, or nothing new.
        summary: of the run.
    """

    number: int
    place: str | None
    rows: dict[str, int]
    added: dict[str, int]
    diff: Diff | None
    summary: Summary

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "release": self.number,
            "published": self.place is not None,
            "place": self.place,
            "rows": self.rows,
            "added": self.added,
            "diff": None if self.diff is None else diff_json(self.diff),
            "run": self.summary.as_json(),
        }

    def as_text(self) -> str:
        """The run's summary, and what is new."""
        if not self.summary.datasets:
            return f"{self.summary.as_text()}\n\nNothing new: release {self.number} stays."
        counts = [(name, f"{n:,}", f"{self.added[name]:,}") for name, n in self.rows.items()]
        parts = [self.summary.as_text(), "\n".join(align(("config", "rows", "new"), counts))]
        if self.diff is not None:
            parts.append(diff_text(self.diff))
        return "\n\n".join([*parts, self._verdict()])

    def _verdict(self) -> str:
        if self.place is not None:
            return f"Release {self.number} is published: {self.place}"
        return (
            f"Release {self.number} passed its gates and was not published: it is in "
            f"{self.summary.out / 'dataset'}. The same command without --no-push publishes it."
        )
