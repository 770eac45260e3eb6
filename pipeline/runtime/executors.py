"""Where tasks run: the protocol, and the executor that runs them in this process.

Executors take tasks, give back one `Outcome` for each, and pass on what tasks tell about their
progress. See `pipeline.runtime.clusters.open_executor` for which one a recipe gets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.recipe.groups import GENERAL
from pipeline.runtime.model_pool import Tell
from pipeline.runtime.task import PartTask
from pipeline.runtime.worker import perform


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a task.

    Attributes:
        value: what it returned.
        error: what it raised.
        died: its worker process is gone, and the task may be why.
        queue: how many more of its kind a worker that has one in hand could do with.
    """

    task: PartTask
    value: Any = None
    error: BaseException | None = None
    died: bool = False
    queue: int = 0


class Executor(Protocol):
    """Runs tasks.

    Attributes:
        dashboard_link: where Dask shows its work, if it does.
    """

    dashboard_link: str | None

    def submit(self, task: PartTask, alone: bool = False) -> None:
        """Take on a task; `alone` on a worker that has nothing else in hand meanwhile."""
        ...

    def wait(self, timeout_s: float) -> Outcome | None:
        """The next task to end; None if none did within the time."""
        ...

    def workers(self) -> dict[str, int]:
        """Live workers by group; groups without any may be missing."""
        ...

    def close(self) -> None:
        """Stop, closing engines."""
        ...


class InlineExecutor:
    """Runs tasks in this process, one after another: for debugging, and for tiny jobs."""

    def __init__(self, tell: Tell) -> None:
        self.dashboard_link: str | None = None
        self._tell = tell
        self._tasks: deque[PartTask] = deque()

    def submit(self, task: PartTask, alone: bool = False) -> None:
        """Queue the task."""
        self._tasks.append(task)

    def wait(self, timeout_s: float) -> Outcome | None:
        """Run the next task to its end."""
        if not self._tasks:
            return None
        task = self._tasks.popleft()
        try:
            return Outcome(task, value=self._perform(task))
        except Exception as error:  # the loop decides what an error means, wherever tasks run
            return Outcome(task, error=error)

    def _perform(self, task: PartTask) -> Any:
        return perform(task, self._tell)

    def workers(self) -> dict[str, int]:
        """Count this process, which takes tasks of any group."""
        return {GENERAL: 1}

    def close(self) -> None:
        """Close the open engine."""
        close_models()


def close_models() -> None:
    """Close what is open in this process, freeing its device."""
    from pipeline.runtime.worker import POOL

    POOL.close()
