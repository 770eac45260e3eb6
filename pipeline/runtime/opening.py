"""Looking at a step's folder: what is complete, what is whole, what is to be made again."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.recipe.plan import Plan
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.reports import PartReport, StepReport
from pipeline.runtime.rounds import Pass, find_pass, forget
from pipeline.runtime.sources import cut_source, needs_inputs
from pipeline.runtime.store import StepFolder
from pipeline.runtime.surroundings import bring


@dataclass(frozen=True, slots=True)
class Opening:
    """What was found.

    Attributes:
        parts: how many parts the step has.
        sizes: for a source, the rows of each.
        done: the parts that are committed and whole, by number.
        drafted: the same of the drafts of a dataset-scope step.
        dataset_pass: how far that of such a step came.
        damaged: how many parts were there, but no longer as they were written.
        complete: what the step came to, if there is nothing left to do.
    """

    parts: int
    sizes: list[int]
    done: dict[int, PartReport]
    drafted: frozenset[int] = frozenset()
    dataset_pass: Pass = field(default_factory=Pass)
    damaged: int = 0
    complete: StepReport | None = None


def open_step(step: KeyedStep, parent: StepFolder | None, parts: int, plan: Plan) -> Opening:
    """Look at the folder of a step; cut the input of a source that was never opened.

    Args:
        step: the step.
        parent: folder of the step whose rows it takes.
        parts: how many parts that has, and so this.
        plan: for a source, gives the size of parts and the folder of its files.
    """
    folder = step.folder
    report = folder.report()
    if report and folder.intact():
        folder.sweep()
        return Opening(folder.n_parts(), [], {}, complete=report)
    bring(step, plan.base)
    reopened = folder.reopen() if report else 0
    done, damaged = _whole_parts(folder)
    drafts, damaged_drafts = _whole_parts(folder.drafts())
    sizes = _source_sizes(step, set(done), plan) if parent is None else []
    parts = len(sizes) if parent is None else parts
    found = _dataset_pass(step, parent, parts)
    if step.step.stage.dataset_pass and found.stage != "final":
        forget(folder, found)
        done = {}
    return Opening(
        parts=parts,
        sizes=sizes,
        done=done,
        drafted=frozenset(drafts),
        dataset_pass=found,
        damaged=reopened + damaged + damaged_drafts,
    )


def _dataset_pass(step: KeyedStep, parent: StepFolder | None, parts: int) -> Pass:
    if step.step.stage.dataset_pass is None:
        return Pass()
    rows = step.folder.drafts() if step.step.stage.run is not None else parent
    assert rows is not None, "a stage without a run takes another's rows"
    return find_pass(step.folder, rows, parts)


def _whole_parts(folder: StepFolder) -> tuple[dict[int, PartReport], int]:
    """The parts that are as they were written; the others are deleted and counted."""
    there = folder.parts_there()
    found = {part: report for part in there if (report := folder.verified(part))}
    for part in set(there) - set(found):
        folder.discard(part)
    return found, len(there) - len(found)


def _source_sizes(step: KeyedStep, done: set[int], plan: Plan) -> list[int]:
    """Rows of each part: as the source was cut before, else by the recipe's part size."""
    sizes = step.folder.layout()
    if sizes is None:
        return cut_source(step, plan.base, plan.recipe.placement.part_rows, plan.recipe.seed)
    inputs, _ = _whole_parts(step.folder.inputs())
    if needs_inputs(step) and set(range(len(sizes))) - done - set(inputs):
        # As before, whatever the recipe says by now.
        cut_source(step, plan.base, sizes[0], plan.recipe.seed)
    return sizes
