"""What a worker does with one part: read, run the stage, check, write. Nothing else has effects."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.engines.base import ModelSpec
from pipeline.recipe.catalog import find_stage
from pipeline.runtime.contract import check_survivors, project, settle
from pipeline.runtime.model_pool import ModelPool, RunContext, Tell
from pipeline.runtime.state import Phase
from pipeline.runtime.store import PartReport, StepFolder, Usage, read_table, reject_table
from schemas.batch import Batch
from schemas.columns import ROW_ID
from schemas.errors import ContractError, PrefmillError
from schemas.ids import source_id
from schemas.rejects import is_engine_failure
from schemas.stage import Stage, StageConfig

if TYPE_CHECKING:
    import pyarrow as pa

POOL = ModelPool()
"""The models open in this process. In a worker it outlives the part, so engines stay warm."""

_ONE_PART_AT_A_TIME = threading.Lock()
"""Guards POOL's hooks and counters, which belong to the part that is running."""


@dataclass(frozen=True, slots=True)
class PartTask:
    """One part of one step, ready to travel.

    Attributes:
        input: folder the rows come from; None for a source fed by position.
        start, size: the source positions it covers; `size` is also the rows to expect.
        decision: for `apply`, what `decide` decided.
    """

    step: str
    stage: str
    config: StageConfig
    phase: Phase
    part: int
    start: int
    size: int
    recipe_seed: int
    folder: StepFolder
    input: StepFolder | None
    specs: dict[str, ModelSpec] = field(default_factory=dict)
    decision: Any = None
    group: str = ""

    @property
    def id(self) -> str:
        """Name for people and for Dask."""
        return f"{self.step}/{self.phase}/{self.part}"


def perform(task: PartTask, tell: Tell) -> Any:
    """Do one task. Returns a PartReport, or the sketch for phase `sketch`."""
    stage = find_stage(task.stage)
    if task.phase == "sketch":
        assert stage.dataset_pass is not None
        return stage.dataset_pass.sketch(_draft(task), task.config)
    with _ONE_PART_AT_A_TIME:
        return _run(task, stage, tell) if task.phase == "run" else _apply(task, stage)


def _draft(task: PartTask) -> Batch:
    return Batch(read_table(task.folder.drafts().rows_path(task.part)))


def _run(task: PartTask, stage: Stage[Any], tell: Tell) -> PartReport:
    started = time.perf_counter()
    incoming = _incoming(task)
    POOL.usage = Usage()
    POOL.tell = lambda message: tell({"task": task.id, **message})
    context = RunContext(task.step, task.recipe_seed, task.specs, POOL)
    outgoing = _guarded(task, stage, Batch(project(incoming, stage)), context)
    table = settle(incoming, outgoing, stage)
    report = _report(task, incoming, Batch(table, outgoing.rejects), started)
    folder = task.folder.drafts() if stage.dataset_pass else task.folder
    return folder.commit(report, table, outgoing.rejects)


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

    if task.input is None:
        positions = range(task.start, task.start + task.size)
        ids = [source_id(task.recipe_seed, task.step, position) for position in positions]
        return pa.table({ROW_ID.name: pa.array(ids, type=pa.string())})
    if task.input == task.folder:
        return read_table(task.folder.input_path(task.part))
    return read_table(task.input.rows_path(task.part))


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
    second = _report(task, draft.table, after, started)
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
    earlier = read_table(drafts.rejects_path(task.part))
    rejects = pa.concat_tables([earlier, reject_table(after.rejects)])
    return task.folder.commit(both, after.table, rejects)


def _report(task: PartTask, incoming: pa.Table, outgoing: Batch, started: float) -> PartReport:
    whole = [reject for reject in outgoing.rejects if reject.response_id is None]
    return PartReport(
        part=task.part,
        rows_in=incoming.num_rows,
        rows_out=len(outgoing),
        lost=len({reject.row_id for reject in whole}),
        failed=len({reject.row_id for reject in whole if is_engine_failure(reject)}),
        rejects=dict(Counter(reject.code for reject in outgoing.rejects)),
        usage=POOL.usage if task.phase == "run" else Usage(),
        seconds=time.perf_counter() - started,
    )
