"""From a compiled plan to a dataset on disk: everything that `prefmill run` does."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pipeline.dataset.write import refuse_foreign
from pipeline.files import write_json
from pipeline.recipe.plan import Plan
from pipeline.runtime.executors import DaskExecutor, Executor, InlineExecutor
from pipeline.runtime.interrupt import StopSwitch
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models
from pipeline.runtime.lock import output_folder
from pipeline.runtime.progress import Progress
from pipeline.runtime.publish import publish_dataset
from pipeline.runtime.run import Runner, describe
from pipeline.runtime.summary import StepLine, Summary
from schemas.errors import GateFailed, InputError, Interrupted

Resume = Literal["always", "if_possible", "never"]


def run_job(plan: Plan, out: Path, resume: Resume, progress: Progress) -> Summary:
    """Run a plan into `out` and write the dataset.

    Raises:
        InputError: the folder, a file or a model cannot be used.
        GateFailed, ExportRefused: the rows are not good enough; no dataset was written.
        TooManyLosses: more was lost than the recipe allows.
        Interrupted: stopped by the user; resumable.
    """
    started = time.monotonic()
    specs = resolve_models(plan)
    for note in dict.fromkeys(note for spec in specs.values() for note in spec.notes):
        progress.say(note)
    steps = key_steps(plan, specs, out)
    with output_folder(out):
        _prepare(steps, out, resume)
        _record_run(plan, steps, out)
        _work(plan, steps, progress)
        _check_gates(plan, steps)
        rows = publish_dataset(plan, steps, out)
    return Summary(plan.recipe.name, _lines(steps, progress), time.monotonic() - started, out, rows)


def _prepare(steps: Iterable[KeyedStep], out: Path, resume: Resume) -> None:
    refuse_foreign(out / "dataset")  # now, not after hours of generating
    begun = [step for step in steps if step.folder.path.exists()]
    if resume == "always" and not begun:
        raise InputError(
            f"{out} holds no work of this recipe to resume. "
            "Drop --resume always, or name the folder of the earlier run with --out."
        )
    if resume == "never":
        for step in begun:
            shutil.rmtree(step.folder.path)


def _record_run(plan: Plan, steps: Iterable[KeyedStep], out: Path) -> None:
    """Leave `run.json`, which tells `prefmill status` what belongs to the latest run."""
    write_json(
        out / "run.json",
        {
            "name": plan.recipe.name,
            "recipe": plan.recipe.model_dump(mode="json"),
            "steps": [
                {
                    "step": step.step.name,
                    "folder": str(step.folder.path.relative_to(out)),
                    "key": step.key,
                    "export": step.is_export,
                    "models": {role: describe(spec) for role, spec in step.specs.items()},
                }
                for step in steps
            ],
        },
    )


def _work(plan: Plan, steps: list[KeyedStep], progress: Progress) -> None:
    workers = plan.recipe.placement.workers

    def start_executor() -> Executor:
        if workers == 0:
            return InlineExecutor(progress.tell)
        return DaskExecutor(workers, progress.tell)

    message = "stopping: finishing what is in flight; Ctrl-C again stops at once"
    try:
        with StopSwitch(lambda: progress.say(message)) as switch:
            Runner(plan, steps, start_executor, progress, lambda: switch.asked).run()
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped at once; finished parts are kept, run the same command again to go on"
        ) from None


def _check_gates(plan: Plan, steps: Iterable[KeyedStep]) -> None:
    least = plan.recipe.gates.min_rows
    for step in steps:
        report = step.folder.report()
        if step.is_export and report is not None and report.rows_out < least:
            raise GateFailed(
                f"gate min_rows: export `{step.step.name}` has {report.rows_out} rows, the recipe "
                f"asks for at least {least}. No dataset was written. See the reasons with "
                "`prefmill status DIR --rejects`; raise the rows of the source, or lower the gate."
            )


def _lines(steps: Iterable[KeyedStep], progress: Progress) -> tuple[StepLine, ...]:
    lines = []
    for step in steps:
        with suppress(KeyError):
            report, reused = progress.reports[step.number]
            lines.append(StepLine(step.step.name, report, reused))
    return tuple(lines)
