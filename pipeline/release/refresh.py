"""The last release and what is new become the next release."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.dataset.read import DatasetFolder, open_dataset
from pipeline.recipe.plan import Plan
from pipeline.release.home import check_release, current, next_folder, publish, settle
from pipeline.release.ledger import record, rows_added, rows_of
from pipeline.release.standing import plan_release
from pipeline.runtime.job import run_job
from pipeline.runtime.lock import output_folder
from pipeline.runtime.summary import Summary, align
from pipeline.runtime.watch import WatchOptions, watching


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh came to.

    Attributes:
        number: of the release that stands now; None if there is none.
        published: whether it is new.
        rows, added: rows by config, all and new.
        summary: of the run.
    """

    number: int | None
    published: bool
    rows: dict[str, int]
    added: dict[str, int]
    summary: Summary

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "release": self.number,
            "published": self.published,
            "rows": self.rows,
            "added": self.added,
            "run": self.summary.as_json(),
        }

    def as_text(self) -> str:
        """The run's summary, and what is new."""
        if not self.published:
            return f"{self.summary.as_text()}\n\nNothing new: release {self.number} stays."
        counts = [(name, f"{n:,}", f"{self.added[name]:,}") for name, n in self.rows.items()]
        table = "\n".join(align(("config", "rows", "new"), counts))
        return f"{self.summary.as_text()}\n\nRelease {self.number}\n{table}"


def refresh(
    plan: Plan, home: Path, recipe: str, command: Sequence[str], options: WatchOptions
) -> Refreshed:
    """Make the next release of the dataset in a folder.

    Args:
        plan: the compiled recipe.
        home: the folder; see `pipeline.release.home`.
        recipe: the recipe's file, for messages.
        command: the words of the command line after `prefmill`.
        options: what the user wants to see.

    Raises:
        PrefmillError: as `run_job` does; the last release is then as it was.
        RecipeError, InputError: the recipe cannot add to the last release.
    """
    with output_folder(home):
        settle(home)
        last = current(home)
        if last is not None:
            check_release(last)
            record(home, last)
        number = 1 if last is None else last.release + 1
        plan = plan_release(plan, last, number, recipe)
        summary = _build(plan, last, next_folder(home, number), number, command, options)
        if not summary.datasets:
            assert last is not None, "a first release has rows, or a gate fails"
            rows = rows_of(last)
            return Refreshed(last.release, False, rows, dict.fromkeys(rows, 0), summary)
        fresh = open_dataset(next_folder(home, number))
        added = rows_added(last, fresh)
        publish(home, number)
        fresh = open_dataset(home)
        record(home, fresh)
        return Refreshed(number, True, rows_of(fresh), added, replace(summary, out=home))


def _build(
    plan: Plan,
    last: DatasetFolder | None,
    out: Path,
    number: int,
    command: Sequence[str],
    options: WatchOptions,
) -> Summary:
    """Run the plan beside the last release."""
    out.mkdir(parents=True, exist_ok=True)
    # Work is kept by its key; what an earlier attempt made of it is written again.
    shutil.rmtree(out / "dataset", ignore_errors=True)
    with watching(plan.recipe.name, out, list(command), options) as watch:
        done = run_job(plan, out, "if_possible", watch.progress, last=last, number=number)
        return watch.finish(done)
