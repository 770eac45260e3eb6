"""The dataset pass of a step on a worker: sketch a part, decide on all, apply to a part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.engines.devices import host_cores
from pipeline.runtime.contract import check_survivors, project, settle
from pipeline.runtime.garbage import give_back_memory
from pipeline.runtime.rounds import Verdict, mark_of, marked, record, recorded
from pipeline.runtime.store import StepFolder
from pipeline.runtime.surroundings import StepSurroundings
from pipeline.runtime.task import PartTask
from schemas.batch import Batch
from schemas.columns import ROW_ID
from schemas.errors import ContractError
from schemas.stage import DatasetPass, Decision, Stage

if TYPE_CHECKING:
    import pyarrow as pa


def sketch(task: PartTask, stage: Stage[Any]) -> None:
    """Sketch one part and commit that."""
    rows, _, batch = _part(task, stage)
    before = task.folder.decisions(task.turn - 1).read_rows(task.part) if task.turn else None
    sketches = _pass(stage).sketch(batch, task.config, _surroundings(task, stage, before))
    _check_order(sketches, batch.table, f"`sketch` of stage `{stage.name}`")
    of = rows.checksum(task.part)
    assert of is not None, "a part that was just read is there"
    task.folder.sketches(task.turn).commit_plain(task.part, marked(sketches, of))


def decide(task: PartTask, stage: Stage[Any]) -> Verdict:
    """Decide on the sketches of all parts and commit that, part by part."""
    earlier = recorded(task.folder)
    if earlier is not None and earlier.turn == task.turn:
        return earlier  # its worker died before it could say so, and the sketches are gone
    sketches = [task.folder.sketches(task.turn).read_rows(part) for part in task.parts]
    give_back_memory()
    with _all_cores():
        decision = _decision(task, stage, sketches)
    start = 0
    for part, of in zip(task.parts, sketches, strict=True):
        rows = decision.rows.slice(start, of.num_rows)
        start += of.num_rows
        task.folder.decisions(task.turn).commit_plain(part, marked(rows, mark_of(of)))
    verdict = Verdict(task.turn, decision.again, decision.figures, decision.notes)
    record(task.folder, verdict)
    return verdict


def _decision(task: PartTask, stage: Stage[Any], sketches: list[pa.Table]) -> Decision:
    import pyarrow as pa

    table = pa.concat_tables(sketch.replace_schema_metadata() for sketch in sketches)
    earlier = task.folder.decisions(task.turn - 1)
    before = (
        pa.concat_tables(earlier.read_rows(part).replace_schema_metadata() for part in task.parts)
        if task.turn
        else None
    )
    decision = _pass(stage).decide(table, task.config, _surroundings(task, stage, before))
    _check_order(decision.rows, table, f"`decide` of stage `{stage.name}`")
    return decision


def apply(task: PartTask, stage: Stage[Any]) -> tuple[pa.Table, pa.Table, Batch]:
    """Carry the decision out on one part.

    Returns:
        The part before and after, and what the stage returned.
    """
    _, incoming, batch = _part(task, stage)
    decision = task.folder.decisions(task.turn).read_rows(task.part)
    after = _pass(stage).apply(batch, decision, task.config)
    if stage.run is not None:
        check_survivors(batch.table, after, stage)
        return batch.table, after.table, after
    return incoming, settle(incoming, after, stage), after


def _part(task: PartTask, stage: Stage[Any]) -> tuple[StepFolder, pa.Table, Batch]:
    """Where the rows are that the pass is over, those of its part, what the stage sees of them."""
    if stage.run is not None:
        drafts = task.folder.drafts()
        table = drafts.read_rows(task.part)
        return drafts, table, Batch(table)
    assert task.input is not None, "a stage without a run takes another's rows"
    table = task.input.read_rows(task.part)
    return task.input, table, Batch(project(table, stage))


def _pass(stage: Stage[Any]) -> DatasetPass[Any]:
    assert stage.dataset_pass is not None, "only such a stage has these phases"
    return stage.dataset_pass


def _surroundings(task: PartTask, stage: Stage[Any], before: pa.Table | None) -> StepSurroundings:
    names = tuple(sorted(stage.given(task.config)))
    return StepSurroundings(task.step, task.recipe_seed, task.folder, names, before)


def _check_order(rows: pa.Table, of: pa.Table, who: str) -> None:
    if ROW_ID.name not in rows.column_names:
        raise ContractError(f"{who} returned no `{ROW_ID.name}`; it has {rows.column_names}")
    if not rows.column(ROW_ID.name).equals(of.column(ROW_ID.name)):
        raise ContractError(
            f"{who} returned {rows.num_rows} rows for {of.num_rows}, or other rows, or in another "
            "order; it must return one row for each, in their order"
        )


@contextmanager
def _all_cores() -> Iterator[None]:
    """Let the libraries use every core: while a step decides, its workers have nothing to do."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(len(host_cores())):
        yield
