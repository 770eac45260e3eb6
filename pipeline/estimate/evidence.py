"""What steps were seen to come to: by a probe, or by an earlier run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.partfile import encode_part, reject_table
from pipeline.runtime.reports import PartReport, StepReport, Usage
from pipeline.runtime.store import StepFolder
from schemas.columns import LINEAGE

if TYPE_CHECKING:
    import pyarrow as pa

_PARTS_READ = 4
"""Parts of which rows are read, to see how many children a row has."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a step was.

    Attributes:
        rows: that it took in meanwhile.
        engine_s: seconds that models took for them, as full as they were.
        other_s: seconds of everything else that several workers can share, less `part_s`.
        part_s: seconds that a part takes whatever is in it.
        alone_s: seconds of deciding on all rows, which one worker does, less `once_s`.
        once_s: seconds that a decision takes whatever it is on.
        asked, in_flight: requests of the largest call, and how many the engine had at once
            during it; None if nobody counted.
        deviation: standard deviation of the tokens sampled for a request, in means.
        workers: how many worked on it.
    """

    rows: int
    engine_s: float = 0.0
    other_s: float = 0.0
    part_s: float = 0.0
    alone_s: float = 0.0
    once_s: float = 0.0
    asked: int = 0
    in_flight: int | None = None
    deviation: float = 0.0
    workers: int = 1

    def tokens_per_s(self, usage: Usage) -> tuple[float, str] | None:
        """Tokens for each second in models, and which: those `sampled` if there are any."""
        if not self.engine_s:
            return None
        if usage.sampled_tokens:
            return usage.sampled_tokens / self.engine_s, "sampled"
        return usage.prompt_tokens / self.engine_s, "read"

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.engine_s + self.other_s + self.part_s + self.alone_s + self.once_s


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one step.

    Attributes:
        report: sums over what was committed.
        most: rows that one row became, at most.
        nbytes: on disk, less what each part takes whatever is in it.
        nbytes_part: that.
        pace: None where nobody watched.
    """

    report: StepReport
    most: int
    nbytes: int
    nbytes_part: int
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What an estimate goes by.

    Attributes:
        source: in words, e.g. `a probe of 8 rows`.
        steps: by name; those that were not reached are missing.
        starts: by role, seconds from nothing to an open model.
        notes: what the user should know of it.
    """

    source: str
    steps: dict[str, Evidence] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def seen(step: KeyedStep, pace: Pace | None) -> Evidence | None:
    """What a step's folder holds; None if nothing was committed."""
    folder = step.folder
    report = folder.report()
    parts = list(range(folder.n_parts()) if report else folder.parts_there())
    reports = [found for part in parts if (found := folder.committed(part)) is not None]
    if not reports:
        return None
    total = report or StepReport.of_parts(reports)
    if not total.rows_in:
        return None
    rows = [folder.read_rows(each.part) for each in reports[:_PARTS_READ]]
    fixed = _fixed_bytes(folder, rows[0])
    nbytes = sum(each.nbytes for each in reports)
    most = _most_children(rows) if step.step.stage.effect == "expand" else 1
    ratio = -(-total.rows_out // total.rows_in)
    return Evidence(total, max(most, ratio), max(nbytes - fixed * len(reports), 0), fixed, pace)


def _fixed_bytes(folder: StepFolder, rows: pa.Table) -> int:
    """The size of a part without rows: its schema and the like, most of what few rows take."""
    return encode_part(folder.key, PartReport(0, 0, 0), rows.slice(0, 0), reject_table(()))[1]


def _most_children(tables: Iterable[pa.Table]) -> int:
    """How many rows have the same parent, at most."""
    parents: Counter[str] = Counter()
    for table in tables:
        if LINEAGE.name in table.column_names:
            lines = table.column(LINEAGE.name).to_pylist()
            parents.update(line[-1]["row_id"] for line in lines if line)
    return max(parents.values(), default=1)
