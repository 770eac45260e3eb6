"""The labels in a run's work: rows as its labelling steps left them, and what they turned away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import read_json
from pipeline.recipe.catalog import find_stage
from pipeline.runtime.status import StepStatus, damaged, read_status
from schemas.columns import CHOSEN, JUDGEMENTS, PREFERENCES, REJECTED, RESPONSES, SCORES
from schemas.errors import InputError
from schemas.stage import Stage, no_needs

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LabelledWork:
    """What a run's committed parts say of labels.

    Attributes:
        name: of the run.
        labelled: steps whose rows have answers with scores or judgements, the last one.
        paired: the last step whose rows are pairs.
        losses: by labelling step, its rows in and its rejects by reason.
        combining: the steps that combine the votes of others.
    """

    name: str
    labelled: StepStatus | None
    paired: StepStatus | None
    losses: Mapping[str, tuple[int, Mapping[str, int]]]
    combining: frozenset[str]


def is_run(folder: Path) -> bool:
    """Whether a run was started in this output folder."""
    return (folder / "run.json").is_file()


def read_labelled_work(out: Path) -> LabelledWork:
    """Find the labels in a run's work; works while it runs, and after it was killed.

    Raises:
        InputError: no run was ever started there.
    """
    status = read_status(out)
    recipe = (read_json(out / "run.json") or {}).get("recipe") or {}
    if "stages" not in recipe:
        raise damaged(out, ["recipe"])
    stages = {entry["name"] or entry["stage"]: entry["stage"] for entry in recipe["stages"]}
    steps = [step for step in status.steps if step.name in stages]
    labellers = {step.name for step in steps if _labels(stages[step.name])}
    columns = {step.name: columns_of(step) for step in steps}
    labels = {SCORES.name, JUDGEMENTS.name}
    return LabelledWork(
        status.name,
        _last(s for s in steps if RESPONSES.name in columns[s.name] and labels & columns[s.name]),
        _last(s for s in steps if {CHOSEN.name, REJECTED.name} <= columns[s.name]),
        {s.name: (s.report.rows_in, s.report.rejects) for s in steps if s.name in labellers},
        frozenset(name for name in labellers if _combines(stages[name])),
    )


def rows_of(step: StepStatus | None, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a step's committed parts, as far as it has these columns."""
    if step is None:
        return
    for table in tables_of(step):
        yield from table.select([n for n in columns if n in table.column_names]).to_pylist()


def tables_of(step: StepStatus) -> Iterator[pa.Table]:
    """The rows of a step's committed parts, part by part.

    Raises:
        InputError: a part is damaged, or not there though the step says so.
    """
    return (_rows(step, part) for part in _parts(step))


def columns_of(step: StepStatus) -> set[str]:
    """Names of the columns that a step's rows have; none if no part of it is committed."""
    for table in tables_of(step):
        return set(table.column_names)
    return set()


def _parts(step: StepStatus) -> Sequence[int]:
    if step.state == "complete":
        return range(step.folder.n_parts())
    return [part for part in step.folder.parts_there() if step.folder.committed(part)]


def _rows(step: StepStatus, part: int) -> pa.Table:
    try:
        return step.folder.read_rows(part)
    except FileNotFoundError:
        raise InputError(
            f"{step.folder.folder.url}: part {part} is not there, though the step says so. Run the "
            "same command again: it is made anew."
        ) from None


def _last(steps: Iterator[StepStatus]) -> StepStatus | None:
    return next(reversed(list(steps)), None)


def _labels(stage: str) -> bool:
    """Whether a stage writes labels; one that is not installed here is not known to."""
    try:
        found = find_stage(stage)
    except InputError:
        return False
    return is_labeller(found)


def is_labeller(stage: Stage[Any]) -> bool:
    """Whether a stage writes labels."""
    return bool({SCORES, JUDGEMENTS} & {*stage.writes, *stage.extends})


def _combines(stage: str) -> bool:
    """Whether a labelling stage writes votes on pairs without asking a model itself."""
    found = find_stage(stage)
    return PREFERENCES in (*found.writes, *found.extends) and found.needs is no_needs
