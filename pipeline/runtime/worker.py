"""What a worker does with one part: read, run the stage, check, write. Nothing else has effects."""

from __future__ import annotations

import functools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.engines.base import ModelSpec
from pipeline.recipe.catalog import find_stage
from pipeline.runtime.contract import check_survivors, empty_output, project, settle
from pipeline.runtime.model_pool import Meter, ModelPool, RunContext, Tell
from pipeline.runtime.moves import Phase
from pipeline.runtime.partfile import reject_table
from pipeline.runtime.reports import PartReport, Usage
from pipeline.runtime.store import StepFolder
from schemas.batch import Batch, Reject
from schemas.columns import ROW_ID
from schemas.errors import ContractError, PrefmillError
from schemas.ids import source_ids
from schemas.rejects import is_engine_failure
from schemas.stage import Stage, StageConfig

if TYPE_CHECKING:
    import pyarrow as pa

POOL = ModelPool()
"""The models open in this process. In a worker it outlives the part, so engines stay warm."""


@dataclass(frozen=True, slots=True)
class PartTask:
    """One part of one step, ready to travel. May be performed beside others in one process.

    Attributes:
        input: folder the rows come from; None for a source fed by position.
        start, size: for a source fed by position, the positions it covers.
        decision: for `apply`, what `decide` decided.
        parts: for `pack`, the parts that go into file number `part`.
        group: the workers that may do it, see `pipeline.runtime.fleet`.
    """

    step: str
    stage: str
    config: StageConfig
    phase: Phase
    part: int
    recipe_seed: int
    folder: StepFolder
    input: StepFolder | None
    start: int = 0
    size: int = 0
    specs: dict[str, ModelSpec] = field(default_factory=dict)
    decision: Any = None
    parts: range = range(0)
    group: str = ""

    @property
    def id(self) -> str:
        """Name for people and for Dask."""
        return f"{self.step}/{self.phase}/{self.part}"


@functools.cache
def _stage(name: str) -> Stage[Any]:
    """Looked up once: to find a plugin, Python reads about every installed distribution."""
    return find_stage(name)


def perform(task: PartTask, tell: Tell) -> Any:
    """Do one task.

    Returns a PartReport; for phase `sketch` the sketch, for `pack` the lengths of the parts.
    """
    stage = _stage(task.stage)
    match task.phase:
        case "run":
            return _run(task, stage, tell)
        case "sketch":
            assert stage.dataset_pass is not None
            return stage.dataset_pass.sketch(_draft(task), task.config)
        case "apply":
            return _apply(task, stage)
        case "pack":
            return task.folder.pack(task.part, task.parts)


def give_up(task: PartTask) -> PartReport:
    """Commit a part that kills its workers, all of its rows turned away."""
    stage = _stage(task.stage)
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


def _draft(task: PartTask) -> Batch:
    return Batch(task.folder.drafts().read_rows(task.part))


def _run(task: PartTask, stage: Stage[Any], tell: Tell) -> PartReport:
    started = time.perf_counter()
    incoming = _incoming(task)
    meter = Meter(lambda message: tell({"task": task.id, **message}))
    context = RunContext(task.step, task.recipe_seed, task.specs, POOL, meter)
    outgoing = _guarded(task, stage, Batch(project(incoming, stage)), context)
    table = settle(incoming, outgoing, stage)
    report = _report(task, incoming, Batch(table, outgoing.rejects), started, meter.usage)
    return _first_pass(task, stage).commit(report, table, reject_table(outgoing.rejects))


def _guarded(task: PartTask, stage: Stage[Any], batch: Batch, context: RunContext) -> Batch:
    try:
        return stage.run(batch, task.config, context)
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
    """The second pass: drop what the decision over all parts drops; add up both passes."""
    import pyarrow as pa

    assert stage.dataset_pass is not None
    started = time.perf_counter()
    drafts = task.folder.drafts()
    draft = _draft(task)
    after = stage.dataset_pass.apply(draft, task.config, task.decision)
    check_survivors(draft.table, after, stage)
    first = drafts.committed(task.part)
    assert first is not None, "apply runs on committed drafts only"
    second = _report(task, draft.table, after, started, Usage())
    both = PartReport(
        part=task.part,
        rows_in=first.rows_in,
        rows_out=second.rows_out,
        lost=first.lost + second.lost,
        failed=first.failed,
        rejects=dict(Counter(first.rejects) + Counter(second.rejects)),
        usage=first.usage,
        seconds=first.seconds + second.seconds,
    )
    rejects = pa.concat_tables([drafts.read_rejects(task.part), reject_table(after.rejects)])
    return task.folder.commit(both, after.table, rejects)


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
