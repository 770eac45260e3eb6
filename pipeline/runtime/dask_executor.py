"""Runs tasks on the workers of a Dask cluster.

Dask carries tasks and results; which worker gets which task is our own `Assignment`, because Dask
blames the death of a worker on every task it held, queued ones included. All state belongs to the
thread that calls `wait`; what happens elsewhere arrives as a message in its inbox.
"""

from __future__ import annotations

import pickle
import queue
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from pipeline.recipe.groups import GENERAL
from pipeline.runtime.admission import submit_to
from pipeline.runtime.assignment import Assignment
from pipeline.runtime.errands import Paces
from pipeline.runtime.executors import Outcome
from pipeline.runtime.fleet import Fleet
from pipeline.runtime.model_pool import Tell
from pipeline.runtime.roster import Checked, Joined, Left, Roster
from pipeline.runtime.site import Site
from pipeline.runtime.task import PartTask
from pipeline.runtime.worker_setup import Facts, perform_on_worker, release_worker
from schemas.errors import InputError

_PATIENCE_S = 60.0
"""A worker that is not there by then is not coming, unless a batch system starts it."""

_CLOSE_TIMEOUT_S = 10.0
"""An engine frees its device in less; a worker that needs longer is not going to answer."""


@dataclass(frozen=True, slots=True)
class _Request:
    task: PartTask
    alone: bool
    future: Any = None


@dataclass(frozen=True, slots=True)
class _Ended:
    """A future has its result, its error, or was cancelled: an `error` that no task `raised`.

    Attributes:
        tickets: of the tasks that were sent together.
        seconds: that they took the worker; with an error, since they were sent.
        values: of the first of them; the others were not done.
    """

    tickets: list[int]
    seconds: float
    values: Sequence[Any] = ()
    error: BaseException | None = None
    raised: bool = False


class DaskExecutor:
    """An `Executor` over a `Site`, which it closes."""

    def __init__(self, site: Site, fleet: Fleet, tell: Tell) -> None:
        """Admit the workers that are there.

        Raises:
            InputError: there are none, or one of them cannot be used.
        """
        self.dashboard_link = site.dashboard_link
        self._site = site
        self._client = site.client
        self._lanes = fleet.lanes
        self._tell = tell
        self._topic = f"prefmill-{site.client.id}"
        self._assignment = Assignment()
        self._paces = Paces()
        self._numbers = count()
        self._waiting: dict[int, _Request] = {}
        self._sent: dict[int, _Request] = {}
        self._missing_since: dict[str, float] = {}
        self._warned: set[str] = set()
        self._open = False
        self._inbox: queue.SimpleQueue[_Ended | Joined | Left | Checked] = queue.SimpleQueue()
        self._ready: deque[Outcome] = deque()
        self._roster = Roster(site.client, site.probe, self._inbox.put)
        try:
            self._client.subscribe_topic(self._topic, lambda event: tell(event[1]))
            self._roster.open()
            if not site.queued:
                self._await_workers()
            self._open = True
        except BaseException:
            self.close()
            raise

    def submit(self, task: PartTask, alone: bool = False) -> None:
        """Have the task sent to a worker once one has room for it.

        Not before `wait`: short tasks that are submitted together are to travel together.
        """
        self._queue(_Request(task, alone))

    def wait(self, timeout_s: float) -> Outcome | None:
        """The next task to end.

        Raises:
            InputError: the scheduler is gone, or tasks wait for workers that do not come.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._roster.refresh()
        except OSError:
            raise self._lost() from None
        self._look_for_missing()
        if not self._ready:
            self._dispatch()
        while not self._ready:
            if not self._take_message(deadline - time.monotonic()):
                return None
            self._dispatch()
        return self._ready.popleft()

    def workers(self) -> dict[str, int]:
        """Live workers that may be given tasks, by group."""
        return self._assignment.workers()

    def close(self) -> None:
        """Close engines and disconnect. Our own workers that are busy are killed."""
        try:
            if self._client.status == "running":
                self._roster.close()
                self._release_workers()
        finally:
            with suppress(TimeoutError):  # what hangs now is ended with this process
                self._site.close()

    def _queue(self, request: _Request, first: bool = False) -> None:
        ticket = next(self._numbers)
        self._waiting[ticket] = request
        self._assignment.add(ticket, request.task.group, request.alone, first)

    def _dispatch(self) -> None:
        if self._client.status != "running":
            raise self._lost()
        for ticket, worker in self._assignment.assign(self._may_go_ahead):
            first = self._waiting[ticket]
            companions = 0 if first.alone else self._paces.companions(first.task)
            more = self._assignment.more(ticket, companions, self._is_short)
            self._send([ticket, *more], worker)

    def _is_short(self, ticket: int) -> bool:
        return self._paces.companions(self._waiting[ticket].task) > 0

    def _may_go_ahead(self, ticket: int) -> bool:
        request = self._waiting.get(ticket) or self._sent[ticket]
        return self._paces.may_go_ahead(request.task)

    def _send(self, tickets: list[int], worker: str) -> None:
        requests = [self._waiting.pop(ticket) for ticket in tickets]
        # As bytes: what cannot be unpickled there is then the task's error. Dask itself would
        # unpickle it in the scheduler, and in a worker's connection, which does not survive.
        packed = pickle.dumps([request.task for request in requests])
        key = f"prefmill-{requests[0].task.step}-{uuid4().hex}"
        future = submit_to(self._client, worker, perform_on_worker, packed, self._topic, key=key)
        for ticket, request in zip(tickets, requests, strict=True):
            self._sent[ticket] = _Request(request.task, request.alone, future)
        self._client.loop.add_callback(self._follow, tickets, future, time.monotonic())

    async def _follow(self, tickets: list[int], future: Any, sent_at: float) -> None:
        """Runs in Dask's loop: wait for a future, fetch its result, tell the inbox."""
        values, seconds, error = (), 0.0, None
        try:
            values, seconds = await self._client.gather(future, asynchronous=True)
        except Exception as failure:  # what a task raises is its outcome
            error, seconds = failure, time.monotonic() - sent_at
        self._inbox.put(_Ended(tickets, seconds, values, error, future.status == "error"))

    def _take_message(self, timeout_s: float) -> bool:
        """Act on the next message; false if none came in time."""
        try:
            message = self._inbox.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return False
        match message:
            case _Ended():
                self._ended(message)
            case Joined():
                self._roster.joined(message.worker)
            case Left():
                self._left(message)
            case Checked():
                self._checked(message)
        return True

    def _ended(self, end: _Ended) -> None:
        from distributed import KilledWorker

        if end.tickets[0] not in self._sent:
            return  # they were settled when their worker left
        if end.error is not None and not end.raised:
            raise self._lost()
        requests = [self._sent.pop(ticket) for ticket in end.tickets]
        for ticket in end.tickets:
            self._assignment.end(ticket)
        if isinstance(end.error, KilledWorker):
            self._ready += [Outcome(request.task, died=True) for request in requests]
            return
        n_done = len(end.values) or 1
        self._paces.note(requests[0].task, end.seconds / n_done)
        if end.error is not None:
            self._ready.append(Outcome(requests[0].task, error=end.error))
        for request, value in zip(requests, end.values, strict=False):
            queue = self._paces.queue(request.task)
            self._ready.append(Outcome(request.task, value, queue=queue))
        for request in reversed(requests[n_done:]):
            self._queue(_Request(request.task, request.alone), first=True)

    def _left(self, left: Left) -> None:
        """Settle what a worker had in hand.

        Unless it was asked to go, each task that it had been sent may have killed it. A task that
        the scheduler had not sent yet never began.
        """
        self._roster.left(left.worker)
        for ticket in reversed(self._assignment.leave(left.worker)):
            request = self._sent[ticket]
            held = left.held is None or request.future.key in left.held
            if not held and request.future.status != "pending":
                continue  # it had ended before; the message is on its way
            del self._sent[ticket]
            request.future.release()
            if held and not left.asked:
                self._ready.append(Outcome(request.task, died=True))
            else:
                self._queue(_Request(request.task, request.alone), first=True)

    def _checked(self, end: Checked) -> None:
        if not self._roster.checked(end):
            return
        if end.facts is not None:
            self._admit(end.worker, end.facts)
        elif self._open:  # before that, it is an error
            self._warn(f"{end.refusal}. It gets no work")

    def _admit(self, worker: str, facts: Facts) -> None:
        group = next((name for name in self._lanes if name in facts.resources), GENERAL)
        wanted = self._lanes.get(group, 1)
        if facts.threads < wanted:
            self._warn(
                f"workers of {self._site.name} have {facts.threads} threads, so that many parts "
                f"in hand; {wanted} would keep their engines busy (`dask worker --nthreads`)"
            )
        self._assignment.join(worker, group, min(wanted, facts.threads))

    def _await_workers(self) -> None:
        """Until all workers that are there have been checked, and one at least has passed."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._assignment.workers() or self._roster.pending():
            if time.monotonic() > deadline:
                break
            if not self._take_message(1.0):
                self._roster.look()
            for refusal in self._roster.refusals.values():
                raise InputError(refusal)
        if pending := self._roster.pending():
            text = f"workers of {self._site.name} do not answer: {', '.join(pending)}"
            if not self._assignment.workers():
                raise InputError(f"{text}. Restart them; the work folder may hang there.")
            self._warn(f"{text}; going on without them")
        elif not self._assignment.workers():
            raise self._missing(GENERAL)

    def _look_for_missing(self) -> None:
        now, stranded = time.monotonic(), self._assignment.stranded()
        since = {group: self._missing_since.get(group, now) for group in stranded}
        self._missing_since = since
        for group in [group for group in since if now - since[group] > _PATIENCE_S]:
            error = self._missing(group)
            if not self._site.queued or self._roster.refusals:
                raise error
            self._warn(str(error))

    def _missing(self, group: str) -> InputError:
        kind = f"workers for model `{group}`" if group else "workers"
        refusals = "".join(f"\n    {reason}" for reason in self._roster.refusals.values())
        return InputError(
            f"{self._site.name} has had no {kind} for {_PATIENCE_S:.0f} s. "
            f"{self._site.advice(group)}{refusals}"
        )

    def _lost(self) -> InputError:
        return InputError(
            f"{self._site.name}: the Dask scheduler is gone, or was told to drop our tasks. "
            "Finished parts are kept; run the same command again to go on from here."
        )

    def _warn(self, text: str) -> None:
        """Tell the user something once."""
        if text not in self._warned:
            self._warned.add(text)
            self._tell({"warning": text})

    def _release_workers(self) -> None:
        """Have engines closed; a worker that is dead or hangs is not waited for.

        A busy worker that lasts closes its own when what it has in hand is over.
        """
        from distributed import fire_and_forget, wait

        if self._sent and not self._site.lasting:
            return  # they are about to be killed
        idle = set(self._assignment.idle())
        for request in self._sent.values():
            request.future.release()
        closing = []
        # As tasks: `Client.run` raises if a worker has died and has no timeout if one hangs.
        for worker in self._assignment.names():
            future = submit_to(self._client, worker, release_worker)
            if worker in idle:
                closing.append(future)
            else:
                fire_and_forget(future)
        with self._client.as_current(), suppress(TimeoutError):
            wait(closing, timeout=_CLOSE_TIMEOUT_S)
