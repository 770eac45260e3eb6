"""Which workers a Dask cluster has, and which of them may get work.

Workers come and go: nannies restart them under new addresses, clusters grow and shrink. Each one
is checked before it gets work. What is heard from Dask is put into the executor's inbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from pipeline.runtime.admission import admit
from pipeline.runtime.worker_setup import Facts, Probe
from schemas.errors import InputError

_REFRESH_S = 10.0
"""How often to ask for all workers: those that join while we subscribe are not announced."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A worker is there."""

    worker: str


@dataclass(frozen=True, slots=True)
class Left:
    """A worker is gone.

    Attributes:
        held: keys of tasks that the scheduler had sent it and whose results are lost; None if
            nobody said.
        asked: the cluster asked it to go.
    """

    worker: str
    held: frozenset[str] | None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A worker was found fit (`facts`) or not (`refusal`)."""

    worker: str
    check: int
    facts: Facts | None = None
    refusal: str = ""


class Roster:
    """Takes note of workers; belongs to the thread that reads the inbox.

    Attributes:
        refusals: by worker, why it gets no work.
    """

    def __init__(
        self, client: Any, probe: Probe | None, put: Callable[[Joined | Left | Checked], None]
    ) -> None:
        self.refusals: dict[str, str] = {}
        self._client = client
        self._probe = probe
        self._put = put
        self._numbers = count()
        self._checks: dict[str, int] = {}  # of every worker that is there
        self._passed: set[str] = set()
        self._unseen: set[str] = set()
        self._refreshed = 0.0

    def open(self) -> None:
        """Listen, and look around."""
        self._client.subscribe_topic("all", self._hear)
        self.look()

    def refresh(self) -> None:
        """Look around now and then."""
        if time.monotonic() - self._refreshed > _REFRESH_S:
            self.look()

    def look(self) -> None:
        """Look for workers that came or went unannounced, while we were out of touch.

        Raises:
            OSError: the scheduler does not answer.
        """
        self._refreshed = time.monotonic()
        there = self._client.nthreads()
        for worker in there:
            self.joined(worker)
        gone = self._checks.keys() - there
        for worker in gone & self._unseen:  # the first time, the announcement may be on its way
            self._put(Left(worker, held=None))
        self._unseen = gone

    def joined(self, worker: str) -> None:
        """Begin to check a worker that is new."""
        if worker not in self._checks:
            self._checks[worker] = check = next(self._numbers)
            self._client.loop.add_callback(self._check, worker, check)

    def left(self, worker: str) -> None:
        """Forget a worker: the next one may have its address."""
        self._checks.pop(worker, None)
        self._passed.discard(worker)
        self.refusals.pop(worker, None)

    def checked(self, end: Checked) -> bool:
        """Take note of the end of a check; false if the worker left meanwhile."""
        if self._checks.get(end.worker) != end.check:
            return False
        if end.facts is None:
            self.refusals[end.worker] = end.refusal
        else:
            self._passed.add(end.worker)
        return True

    def close(self) -> None:
        """Listen no longer; a scheduler that ends would complain that it cannot tell us."""
        self._client.unsubscribe_topic("all")

    def pending(self) -> list[str]:
        """Workers whose check goes on."""
        return [w for w in self._checks if w not in self._passed and w not in self.refusals]

    async def _check(self, worker: str, check: int) -> None:
        """Runs in Dask's loop."""
        try:
            facts = await admit(self._client, worker, self._probe)
        except InputError as error:
            self._put(Checked(worker, check, refusal=str(error)))
        else:
            self._put(Checked(worker, check, facts))

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Runs in Dask's loop."""
        message = event[1]
        if message.get("action") == "add-worker":
            self._put(Joined(message["worker"]))
        elif message.get("action") == "remove-worker":
            held = frozenset([*message["processing-tasks"], *message["lost-computed-tasks"]])
            self._put(Left(message["worker"], held, message.get("expected", False)))
