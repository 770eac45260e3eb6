"""From a compiled plan to a dataset on disk: everything that `prefmill run` does."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from pipeline.dataset.place import check_place
from pipeline.dataset.read import MANIFEST, DatasetFolder
from pipeline.dataset.swap import restore
from pipeline.dataset.write import Release
from pipeline.engines.base import ModelSpec
from pipeline.files import read_json, write_json
from pipeline.folders import Folder
from pipeline.recipe.plan import Plan
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.executors import Executor
from pipeline.runtime.figures import collect_figures
from pipeline.runtime.garbage import relax_collector
from pipeline.runtime.gates import check_gates
from pipeline.runtime.interrupt import StopSwitch
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models, work_folder
from pipeline.runtime.lock import output_folder, own_work
from pipeline.runtime.model_pool import Tell
from pipeline.runtime.pandas_later import leave_pandas_out
from pipeline.runtime.partfile import FORMAT
from pipeline.runtime.probe import leave_mark, probe_folder
from pipeline.runtime.progress import Progress
from pipeline.runtime.publish import dataset_notes, publish_dataset, publish_views
from pipeline.runtime.run import Runner, describe
from pipeline.runtime.shapes import shapes_of
from pipeline.runtime.summary import StepLine, Summary
from pipeline.runtime.survey import survey_fleet
from schemas.errors import InputError, Interrupted
from schemas.layouts import SIGNATURES

Resume = Literal["always", "if_possible", "never"]

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def run_job(
    plan: Plan,
    out: Path,
    resume: Resume,
    progress: Progress,
    *,
    overwrite: bool = False,
    last: DatasetFolder | None = None,
    number: int | None = None,
) -> Summary:
    """Run a plan into `out` and write the dataset.

    Args:
        plan: the compiled recipe.
        out: the output folder.
        resume: whether work that is there must, may or must not be used.
        progress: hears how it goes.
        overwrite: with `never`, throw that work away.
        last: the release to which this run adds.
        number: of the release that it makes; None if it makes none.

    Returns:
        What it came to; without datasets if it has no row to add to the last release.

    Raises:
        InputError: the folder, a file or a model cannot be used, or the disk is full.
        GateFailed, ExportRefused: the rows are not good enough; no dataset was written, or not
            the view of it that a row does not fit.
        TooManyLosses: more was lost than the recipe allows.
        Interrupted: stopped by the user; resumable.
    """
    started = time.monotonic()
    relax_collector()
    leave_pandas_out()
    specs = resolve_models(plan)
    for note in dict.fromkeys(note for spec in specs.values() for note in spec.notes):
        progress.say(note)
    work = work_folder(plan, out)
    steps = key_steps(plan, specs, work)
    with _disk_errors(out), output_folder(out), own_work(work, out):
        if number is None:
            _refuse_release(out)
        _prepare(steps, out, resume, overwrite)
        _record_run(plan, steps, out)
        _work(plan, specs, steps, work, progress)
        done = Summary(plan.recipe.name, _lines(steps, progress), 0.0, out, {})
        if last is None or _adds_rows(steps):
            done = _publish(plan, steps, done, progress, last, number)
    return replace(done, seconds=time.monotonic() - started)


def _publish(
    plan: Plan,
    steps: list[KeyedStep],
    done: Summary,
    progress: Progress,
    last: DatasetFolder | None,
    number: int | None,
) -> Summary:
    """Hold the rows to the recipe's gates and write the dataset; the summary with all that."""
    measured = collect_figures(plan, steps, done.out, last)
    for note in check_gates(plan.recipe.gates, measured, last.figures if last else None):
        progress.say(note)
    release = Release(plan.recipe.splits, measured.values, last, number)
    rows = publish_dataset(plan, steps, done.out, release)
    views = publish_views(plan, done.out)
    notes = dataset_notes(done.out)
    return replace(done, datasets=rows, views=views, notes=notes, figures=measured.values)


@contextmanager
def _disk_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise InputError(
            f"{error.filename or out} cannot be written: {error.strerror}. What was committed is "
            "safe and nothing half-written is kept; free some space and run the same command again."
        ) from error


def _prepare(steps: Iterable[KeyedStep], out: Path, resume: Resume, overwrite: bool) -> None:
    restore(out / "dataset")
    check_place(out / "dataset")  # now, not after hours of generating
    _refuse_newer(out)
    begun = [step.folder.folder for step in steps if step.folder.folder.exists()]
    if resume == "always" and not begun:
        raise InputError(
            f"{out} holds no work of this recipe to resume. "
            "Drop --resume always, or name the folder of the earlier run with --out."
        )
    if resume == "never" and begun and not overwrite:
        raise InputError(
            f"{out} holds work of this recipe ({len(begun)} steps) and --resume never would throw "
            "it away. Add --overwrite to do so, drop --resume never to go on with it, or choose "
            "another --out."
        )
    if resume == "never":
        for folder in begun:
            folder.clear()


def _refuse_newer(out: Path) -> None:
    found = (read_json(out / "run.json") or {}).get("format", 1)
    if found > FORMAT:
        raise InputError(
            f"{out} was written by a newer prefmill (work format {found}; this one reads up to "
            f"{FORMAT}). Use that version, or choose another --out."
        )


def _refuse_release(out: Path) -> None:
    """A single run would take the place of all that the releases gathered."""
    found = (read_json(out / "dataset" / MANIFEST) or {}).get("release")
    if found is not None:
        raise InputError(
            f"{out}/dataset is release {found} of a dataset that grows, which `run` would replace "
            f"with the rows of one run. Add to it with `prefmill refresh RECIPE --into {out}`, or "
            "choose another --out."
        )


def _adds_rows(steps: Iterable[KeyedStep]) -> bool:
    """Whether there is anything to publish; signatures alone are no data."""
    exports = (step for step in steps if step.is_export and step.config_name != SIGNATURES)
    return any((report := step.folder.report()) and report.rows_out for step in exports)


def _record_run(plan: Plan, steps: Iterable[KeyedStep], out: Path) -> None:
    """Leave `run.json`, which tells `prefmill status` what belongs to the latest run."""
    write_json(
        out / "run.json",
        {
            "format": FORMAT,
            "name": plan.recipe.name,
            "recipe": plan.recipe.model_dump(mode="json"),
            "steps": [
                {
                    "step": step.step.name,
                    "folder": _address(step, out),
                    "key": step.key,
                    "parent": step.parent,
                    "export": step.is_export,
                    "models": {role: describe(spec) for role, spec in step.specs.items()},
                }
                for step in steps
            ],
        },
    )


def _address(step: KeyedStep, out: Path) -> str:
    """A folder in the output folder by its place there: the whole may be moved."""
    url = step.folder.folder.url
    inside = "://" not in url and Path(url).is_relative_to(out.absolute())
    return str(Path(url).relative_to(out.absolute())) if inside else url


def _work(
    plan: Plan,
    specs: Mapping[str, ModelSpec],
    steps: list[KeyedStep],
    work: Folder,
    progress: Progress,
) -> None:
    placement = plan.recipe.placement
    shapes = shapes_of(plan, specs, steps)

    def start_executor(tell: Tell) -> Executor:
        survey = survey_fleet(plan, specs)
        for note in survey.notes:
            progress.say(note)
        probe = partial(probe_folder, work, leave_mark(work))
        return open_executor(placement, survey.fleet, probe, tell)

    message = "stopping: finishing what is in flight; Ctrl-C again stops at once"
    try:
        with StopSwitch(lambda: progress.say(message)) as switch:
            Runner(plan, steps, shapes, start_executor, progress, lambda: switch.asked).run()
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped at once; finished parts are kept, run the same command again to go on"
        ) from None


def _lines(steps: Iterable[KeyedStep], progress: Progress) -> tuple[StepLine, ...]:
    lines = []
    for step in steps:
        with suppress(KeyError):
            report, reused = progress.reports[step.number]
            lines.append(StepLine(step.step.name, report, reused, figures=step.folder.figures()))
    return tuple(lines)
