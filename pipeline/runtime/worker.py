"""What a worker does with one part: read, run the stage, check, write. Nothing else has effects."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.recipe.catalog import find_stage
from pipeline.runtime import deciding
from pipeline.runtime.contract import empty_output, project, settle
from pipeline.runtime.model_pool import Meter, ModelPool, RunContext, Tell
from pipeline.runtime.partfile import reject_table
from pipeline.runtime.reports import PartReport, Usage
from pipeline.runtime.store import StepFolder
from pipeline.runtime.surroundings import StepSurroundings
from pipeline.runtime.task import PartTask
from schemas.batch import Batch, Reject
from schemas.columns import ROW_ID
from schemas.errors import ContractError, PrefmillError
from schemas.ids import source_ids
from schemas.rejects import is_engine_failure
from schemas.stage import Stage

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

POOL = ModelPool()
"""The models open in this process. In a worker it outlives the part, so engines stay warm."""


def _stage(task: PartTask) -> Stage[Any]:
    return find_stage(task.stage).fit(task.config)


def perform(task: PartTask, tell: Tell, pool: ModelPool = POOL) -> Any:
    """Do one task, asking the models of `pool`.

    Returns a PartReport; for phase `sketch` the seconds that it took, for `decide` the Verdict and
    its seconds, for `pack` the lengths of the parts.
    """
    from stages.kernels.compiling import told_of_compiling

    with told_of_compiling(lambda compiles: tell({"task": task.id, "compiling": compiles})):
        return _perform(task, _stage(task), tell, pool)


def _perform(task: PartTask, stage: Stage[Any], tell: Tell, pool: ModelPool) -> Any:
    started = time.perf_counter()
    match task.phase:
        case "run":
            return _run(task, stage, tell, pool)
        case "sketch":
            _guarded(task, stage, lambda: deciding.sketch(task, stage))
            return time.perf_counter() - started
        case "decide":
            verdict = _guarded(task, stage, lambda: deciding.decide(task, stage))
            return verdict, time.perf_counter() - started
        case "apply":
            return _apply(task, stage)
        case "pack":
            return task.folder.pack(task.part, task.parts)


def give_up(task: PartTask) -> PartReport:
    """Commit a part that kills its workers, all of its rows turned away."""
    stage = _stage(task)
    incoming = _incoming(task)
    message = f"part {task.part} of step `{task.step}` killed its worker twice and was given up"
    rejects = [
        Reject(row_id, "quarantined", message)
        for row_id in incoming.column(ROW_ID.name).to_pylist()
    ]
    nothing = settle(incoming, Batch(empty_output(stage), tuple(rejects)), stage)
    report = PartReport(
        part=task.part,
        rows_in=incoming.num_rows,
        rows_out=0,
        lost=incoming.num_rows,
        rejects=dict(Counter(reject.code for reject in rejects)),
    )
    return _first_pass(task, stage).commit(report, nothing, reject_table(rejects))


def _first_pass(task: PartTask, stage: Stage[Any]) -> StepFolder:
    """Where a part goes when it was run: with a dataset pass it is a draft until the decision."""
    return task.folder.drafts() if stage.dataset_pass else task.folder


def _run(task: PartTask, stage: Stage[Any], tell: Tell, pool: ModelPool) -> PartReport:
    started = time.perf_counter()
    incoming = _incoming(task)
    meter = Meter(lambda message: tell({"task": task.id, **message}))
    names = tuple(sorted(stage.given(task.config)))
    around = StepSurroundings(task.step, task.recipe_seed, task.folder, names)
    context = RunContext(around, task.specs, pool, meter)
    run, batch = stage.run, Batch(project(incoming, stage))
    assert run is not None, "a stage without it has no such phase"
    if incoming.num_rows:
        outgoing = _guarded(task, stage, lambda: run(batch, task.config, context))
    else:  # as after a step that dropped them all: no model need be loaded for it
        outgoing = Batch(empty_output(stage))
    table = settle(incoming, outgoing, stage)
    report = _report(task, incoming, Batch(table, outgoing.rejects), started, meter.usage)
    return _first_pass(task, stage).commit(report, table, reject_table(outgoing.rejects))


def _guarded(task: PartTask, stage: Stage[Any], work: Callable[[], T]) -> T:
    try:
        return work()
    except (PrefmillError, MemoryError):
        raise
    except Exception as error:  # a stage is third-party code: say which one failed, and where
        raise ContractError(
            f"stage `{stage.name}` (step `{task.step}`, part {task.part}) raised "
            f"{type(error).__name__}: {error}"
        ) from error


def _incoming(task: PartTask) -> pa.Table:
    import pyarrow as pa

    if task.input is not None:
        return task.input.read_rows(task.part)
    positions = range(task.start, task.start + task.size)
    ids = source_ids(task.recipe_seed, task.step, positions)
    return pa.table({ROW_ID.name: pa.array(ids, type=pa.string())})


def _apply(task: PartTask, stage: Stage[Any]) -> PartReport:
    """Carry the decision over all parts out on one; where there was a run, add up both passes."""
    import pyarrow as pa

    started = time.perf_counter()
    before, after, outgoing = _guarded(task, stage, lambda: deciding.apply(task, stage))
    report = _report(task, before, Batch(after, outgoing.rejects), started, Usage())
    rejects = reject_table(outgoing.rejects)
    if stage.run is not None:
        drafts = task.folder.drafts()
        first = drafts.committed(task.part)
        assert first is not None, "apply runs on committed drafts only"
        report = _both(first, report)
        rejects = pa.concat_tables([drafts.read_rejects(task.part), rejects])
    return task.folder.commit(report, after, rejects)


def _both(first: PartReport, second: PartReport) -> PartReport:
    return PartReport(
        part=first.part,
        rows_in=first.rows_in,
        rows_out=second.rows_out,
        lost=first.lost + second.lost,
        failed=first.failed,
        rejects=dict(Counter(first.rejects) + Counter(second.rejects)),
        usage=first.usage,
        seconds=first.seconds + second.seconds,
    )


def _report(
    task: PartTask, incoming: pa.Table, outgoing: Batch, started: float, usage: Usage
) -> PartReport:
    whole = [reject for reject in outgoing.rejects if reject.response_id is None]
    return PartReport(
        part=task.part,
        rows_in=incoming.num_rows,
        rows_out=len(outgoing),
        lost=len({reject.row_id for reject in whole}),
        failed=len({reject.row_id for reject in whole if is_engine_failure(reject)}),
        rejects=dict(Counter(reject.code for reject in outgoing.rejects)),
        usage=usage,
        seconds=time.perf_counter() - started,
    )
