"""Steps and reports to show, without a run."""

from __future__ import annotations

from pathlib import Path

from pipeline.folders import LocalFolder
from pipeline.recipe.plan import Step
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.partfile import reject_table
from pipeline.runtime.reports import PartReport, StepReport, Usage
from pipeline.runtime.store import StepFolder
from schemas.batch import make_batch
from schemas.columns import ROW_ID
from tests.pipeline.fakes import NoConfig, stage

TOTAL = StepReport(48, 40, 8, 0, {"fragment": 8}, Usage(60, 1200, 900, 9.0), 12.0)


def keyed(name: str, out: Path = Path("out"), number: int = 0) -> KeyedStep:
    step = Step(number, name, stage(name, NoConfig, effect="map"), NoConfig(), ())
    folder = StepFolder.at(LocalFolder(out / "work"), number, name, "k" * 32)
    return KeyedStep(number, step, "k" * 32, folder, None, {}, None, {})


def commit(folder: StepFolder, number: int) -> None:
    """A part without rows."""
    folder.commit(part(number), make_batch([ROW_ID], []).table, reject_table(()))


def part(
    number: int, rows: int = 8, rejects: int = 2, tokens: int = 100, s: float = 1.0
) -> PartReport:
    return PartReport(
        part=number,
        rows_in=rows,
        rows_out=rows - rejects,
        lost=rejects,
        rejects={"fragment": rejects},
        usage=Usage(rows, 10, tokens, s),
        seconds=s,
    )


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
