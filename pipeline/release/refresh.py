"""The last release and what is new become the next release."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.compare.diff import diff_datasets
from pipeline.dataset.read import DatasetFolder, open_dataset
from pipeline.recipe.plan import Plan
from pipeline.release.home import forget_work, next_folder, publish, settle
from pipeline.release.ledger import record, rows_added, rows_of
from pipeline.release.licence import refuse_unlicensed
from pipeline.release.outcome import Refreshed
from pipeline.release.places import FolderPlace, Place, Tell
from pipeline.release.standing import plan_release
from pipeline.report.report import report_or_tell
from pipeline.runtime.job import run_job
from pipeline.runtime.lock import output_folder
from pipeline.runtime.summary import Summary
from pipeline.runtime.watch import WatchOptions, watching


@dataclass(frozen=True, slots=True)
class Refresh:
    """A dataset that is to get its next release.

    Attributes:
        plan: the compiled recipe.
        recipe: its file, for messages.
        place: where the releases are.
        home: the folder of the work; see `pipeline.release.home`.
        command: the words of the command line after `prefmill`.
        tell: hears what goes on, a line at a time.
        options: what the user wants to see.
        publishes: whether the release is published, or only made and held to its gates.
        needs_license: whether a place that others read may get a card without a licence.
    """

    plan: Plan
    recipe: str
    place: Place
    home: Path
    command: Sequence[str]
    tell: Tell
    options: WatchOptions
    publishes: bool = True
    needs_license: bool = True

    def run(self) -> Refreshed:
        """Make the next release, if there is anything new.

        Raises:
            PrefmillError: as `run_job` does; the last release is then as it was.
            RecipeError, InputError: the recipe cannot add to the last release, or the place
                cannot be read or written.
        """
        with output_folder(self.home):
            settle(self.home)
            last = self.place.last()
            self._forget(last)
            number = 1 if last is None else last.release + 1
            plan = plan_release(self.plan, last, number, self.recipe)
            if self.needs_license and not isinstance(self.place, FolderPlace):
                refuse_unlicensed(plan, last)
            summary = self._build(plan, last, number)
            if summary.datasets:
                return self._release(last, number, summary)
            assert last is not None, "a first release has rows, or a gate fails"
            rows = rows_of(last)
            return Refreshed(last.release, None, rows, dict.fromkeys(rows, 0), None, summary)

    def _forget(self, last: DatasetFolder | None) -> None:
        """Put the last release into the ledger, and drop work on what it overtook."""
        if last is None:
            return
        if isinstance(self.place, FolderPlace):
            record(self.home, last)
        for number in range(1, last.release + 1):
            shutil.rmtree(next_folder(self.home, number), ignore_errors=True)

    def _build(self, plan: Plan, last: DatasetFolder | None, number: int) -> Summary:
        """Run the plan beside the last release."""
        out = next_folder(self.home, number)
        out.mkdir(parents=True, exist_ok=True)
        # Work is kept by its key; what an earlier attempt made of it is written again.
        shutil.rmtree(out / "dataset", ignore_errors=True)
        with watching(plan.recipe.name, out, list(self.command), self.options) as watch:
            done = run_job(plan, out, "if_possible", watch.progress, last=last, number=number)
            return watch.finish(done)

    def _release(self, last: DatasetFolder | None, number: int, summary: Summary) -> Refreshed:
        """Publish what was built, and say what is new."""
        fresh = open_dataset(summary.out)
        added, rows = rows_added(last, fresh), rows_of(fresh)
        diff = None if last is None else diff_datasets(last, fresh)
        report_or_tell(summary.out, self.tell, diff)
        if not self.publishes:
            return Refreshed(number, None, rows, added, diff, summary)
        where = self.place.publish(fresh)
        publish(self.home, number)
        forget_work(self.plan.recipe.placement.work, number)
        record(self.home, open_dataset(self.home))
        return Refreshed(number, where, rows, added, diff, _moved(summary, self.home))


def _moved(summary: Summary, home: Path) -> Summary:
    """The same, once all of it lies in another folder."""
    return replace(
        summary,
        out=home,
        views=tuple(home / view.relative_to(summary.out) for view in summary.views),
        notes=tuple(note.replace(str(summary.out), str(home)) for note in summary.notes),
    )
