"""What a report is about: a run, its dataset, or a dataset that has come without its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.dataset.read import MANIFEST, DatasetFolder, open_dataset
from pipeline.files import read_json
from pipeline.runtime.labelled import is_run
from pipeline.runtime.reports import Usage
from pipeline.runtime.status import RunStatus, StepStatus, read_status


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of the run.

    Attributes:
        stage: its type, as the catalog calls it.
        state: `complete`, `partial` or `waiting`.
        rejects: by reason code.
        figures: of its decision over all rows, if it made one.
        usage: what its models did; None where only the dataset is left.
        seconds: spent on its parts, summed, so more than the clock showed if several went at once.
        models: what it asked, as `model (engine)`.
        is_export: whether it ends in the dataset.
    """

    name: str
    stage: str
    rows_in: int
    rows_out: int
    rejects: Mapping[str, int]
    figures: Mapping[str, Any]
    state: str = "complete"
    usage: Usage | None = None
    seconds: float | None = None
    models: tuple[str, ...] = ()
    is_export: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before any row is read.

    Attributes:
        out: the run's output folder; None for a dataset without its run.
        status: how far that run is.
        dataset: None while there is none.
        steps: of the run, in order.
        made_by: what the dataset's manifest says of the run; empty while there is no dataset.
    """

    name: str
    out: Path | None
    status: RunStatus | None
    dataset: DatasetFolder | None
    steps: tuple[StepLine, ...]
    made_by: Mapping[str, Any] = field(default_factory=dict)

    def status_of(self, step: StepLine) -> StepStatus | None:
        """The step's work; None where only the dataset is left."""
        steps = self.status.steps if self.status else []
        return next((found for found in steps if found.name == step.name), None)

    @property
    def is_finished(self) -> bool:
        """Whether all that the recipe asks for is there."""
        return all(step.state == "complete" for step in self.steps)


def run_of(path: Path) -> Path | None:
    """The output folder of the run that a path is, or whose dataset it is; None if of none."""
    if is_run(path):
        return path
    parent = path.resolve().parent
    return parent if path.name == "dataset" and is_run(parent) else None


def read_facts(path: Path) -> Facts:
    """What is known of the run or dataset at a path.

    Raises:
        InputError: there is neither.
    """
    out = run_of(path)
    if out is None:
        return _of_dataset(open_dataset(path))
    status = read_status(out)
    has_dataset = (out / "dataset" / MANIFEST).is_file()
    dataset = open_dataset(out) if has_dataset else None
    steps = _of_run(out, status)
    made_by = dataset.manifest.get("run", {}) if dataset else {}
    return Facts(status.name, out, status, dataset, steps, made_by)


def _of_dataset(dataset: DatasetFolder) -> Facts:
    made_by = dataset.manifest.get("run", {})
    steps = tuple(_as_told(step) for step in made_by.get("steps", ()))
    name = made_by.get("name", dataset.path.name)
    return Facts(name, None, None, dataset, steps, made_by)


def _as_told(step: Mapping[str, Any]) -> StepLine:
    """A step as the manifest has it."""
    return StepLine(
        step["name"],
        step["stage"],
        step["rows_in"],
        step["rows_out"],
        step.get("rejects", {}),
        step.get("figures", {}),
        is_export=step["stage"].startswith("export_"),
    )


def _of_run(out: Path, status: RunStatus) -> tuple[StepLine, ...]:
    run = read_json(out / "run.json") or {}
    recipe = run.get("recipe", {}).get("stages", ())
    stages = {entry.get("name") or entry["stage"]: entry["stage"] for entry in recipe}
    lines = []
    for entry, step in zip(run.get("steps", ()), status.steps, strict=True):
        models = entry.get("models", {}).values()
        lines.append(
            StepLine(
                name=step.name,
                stage=stages.get(step.name, step.name),
                rows_in=step.report.rows_in,
                rows_out=step.report.rows_out,
                rejects=step.report.rejects,
                figures=step.folder.figures(),
                state=step.state,
                usage=step.report.usage,
                seconds=step.report.seconds,
                models=tuple(f"{model['model']} ({model['engine']})" for model in models),
                is_export=bool(entry.get("export")),
            )
        )
    return tuple(lines)
