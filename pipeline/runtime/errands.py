"""Short tasks travel together: an errand is what a worker is sent at once.

Sending a task costs ten to twenty milliseconds until its result is back, and four of the driver's
time. Beside an answer of a model that is nothing; a part without one takes less than that itself.
So a worker is sent several at once, and its next errand before this one is over: what waits on a
worker costs nothing while it is short, even if it is to be done again because the worker dies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.runtime.task import PartTask

ERRAND_S = 0.25
"""How long an errand of more than one task is to take: what is done shows only at its end."""

_SHORTEST_S = ERRAND_S / 50

AHEAD_S = 0.5
"""Tasks that take less may wait on a worker; one that is busy for longer is no place to wait."""


class Paces:
    """How long tasks of each kind, a phase of a step, last took."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], float] = {}

    def note(self, task: PartTask, seconds: float) -> None:
        """A task, or each of an errand that began with it, took its worker this long."""
        self._seconds[task.step, task.phase] = seconds

    def companions(self, task: PartTask) -> int:
        """How many more tasks of its kind fit into an errand; none while its pace is not known."""
        seconds = self._seconds.get((task.step, task.phase), ERRAND_S)
        return max(0, int(ERRAND_S / max(seconds, _SHORTEST_S)) - 1)

    def may_go_ahead(self, task: PartTask) -> bool:
        """Whether it may wait on a worker; not while the pace of its kind is not known."""
        return self._seconds.get((task.step, task.phase), AHEAD_S) < AHEAD_S

    def queue(self, task: PartTask) -> int:
        """How many more of its kind there should be for a worker that has one in hand.

        An errand at work, one that is sent ahead, and one that waits for whoever is first.
        """
        return 3 * (1 + self.companions(task)) - 1 if self.may_go_ahead(task) else 0


def perform_all(tasks: Sequence[PartTask], perform: Callable[[PartTask], Any]) -> list[Any]:
    """Perform tasks one after another; returns what the first of them returned, in order.

    It stops after ERRAND_S, for one of them may be longer than it was taken for, and before a task
    that fails: sent again, that one is the first, and its error that of the errand.

    Raises:
        Exception: what the first task raised.
    """
    began = time.monotonic()
    values = [perform(tasks[0])]
    for task in tasks[1:]:
        if time.monotonic() - began > ERRAND_S:
            break
        try:
            values.append(perform(task))
        except Exception:  # it raises again when it is sent again
            break
    return values
