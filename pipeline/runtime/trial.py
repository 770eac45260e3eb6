"""A plan carried out on few rows in this process, as far as it goes: for `preview` and `plan`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.folders import LocalFolder
from pipeline.recipe.plan import Plan
from pipeline.runtime.executors import Executor, InlineExecutor
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models
from pipeline.runtime.listener import Listener
from pipeline.runtime.model_pool import Tell
from pipeline.runtime.run import Runner
from pipeline.runtime.shapes import plain_shape
from schemas.errors import PrefmillError
from schemas.recipe import Limits

if TYPE_CHECKING:
    import pyarrow as pa

_ONE_PART = 10**6


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Attributes:
        steps: steps and exports, in order.
        error: what stopped it; the steps before are complete.
    """

    steps: list[KeyedStep]
    error: PrefmillError | None


def run_trial(
    plan: Plan,
    folder: Path,
    listener: Listener,
    start_executor: Callable[[Tell], Executor] = InlineExecutor,
) -> Trial:
    """Carry a plan out in `folder`, without gates, limits on losses, or a dataset.

    The recipe's workers play no part: what is few is done here, in one part.

    Raises:
        InputError: a model does not exist.
        EngineUnavailable: no engine here can run a model.
    """
    limits = Limits(max_failed_share=1, max_unlabelled_share=1)
    placement = plan.recipe.placement.model_copy(update={"part_rows": _ONE_PART})
    recipe = plan.recipe.model_copy(update={"limits": limits, "placement": placement})
    plan = replace(plan, recipe=recipe)
    steps = key_steps(plan, resolve_models(plan), LocalFolder(folder), hash_inputs=False)
    shapes = [plain_shape(step) for step in steps]
    try:
        Runner(plan, steps, shapes, start_executor, listener, lambda: False).run()
    except PrefmillError as error:
        return Trial(steps, error)
    return Trial(steps, None)


def rows_there(step: KeyedStep) -> pa.Table | None:
    """The rows of a step that is complete; None if it is not."""
    import pyarrow as pa

    if step.folder.report() is None:
        return None
    return pa.concat_tables(step.folder.tables())
