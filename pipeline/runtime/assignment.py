"""Which waiting task goes to which worker, as a pure data structure.

Each worker has lanes: how many tasks it may have in hand at once. A task waits here, not on a
worker, until there is a lane for it; so when a worker dies, only what it really had is suspect.
Short tasks are another matter, since sending one takes longer than doing it: they may go along with
one that found a lane, and one may go ahead, to wait on a worker until its lane is free.

A task that is to be alone gets a worker with nothing in hand, which is given nothing else until
the task ends. While such tasks wait, as many workers of their group as there are of them, those
with the least in hand, are given nothing new. The one with the least in hand therefore only ever
has less, until it has nothing: alone tasks are served after a while, and then the others.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

Suits = Callable[[int], bool]
"""Asked with a ticket."""


@dataclass(slots=True)
class _Worker:
    """A worker; `held` has the tickets in its hand, each with the one that it goes along with."""

    name: str
    group: str
    lanes: int
    held: dict[int, int] = field(default_factory=dict)
    taken: bool = False  # by a task that is to be alone

    def __lt__(self, other: _Worker) -> bool:
        return len(self.held) < len(other.held)

    @property
    def free_lanes(self) -> int:
        """Lanes with nothing in them; -1 if something waits for one."""
        return self.lanes - len(set(self.held.values()))


@dataclass(slots=True)
class _Waiting:
    """The tickets of a group that wait for a worker, first come, first served."""

    plain: deque[int] = field(default_factory=deque)
    alone: deque[int] = field(default_factory=deque)


class Assignment:
    """Tickets (numbers that stand for tasks), workers, and who has what in hand."""

    def __init__(self) -> None:
        self._groups: defaultdict[str, dict[str, _Worker]] = defaultdict(dict)
        self._workers: dict[str, _Worker] = {}
        self._waiting: defaultdict[str, _Waiting] = defaultdict(_Waiting)
        self._holders: dict[int, _Worker] = {}

    def join(self, name: str, group: str, lanes: int) -> None:
        """A new worker; one that was known under that name must have left before."""
        self._workers[name] = self._groups[group][name] = _Worker(name, group, lanes)

    def leave(self, name: str) -> list[int]:
        """The worker is gone. Returns what it had in hand; nobody has that now."""
        worker = self._workers.pop(name, None)
        if worker is None:
            return []
        del self._groups[worker.group][name]
        for ticket in worker.held:
            del self._holders[ticket]
        return sorted(worker.held)

    def add(self, ticket: int, group: str, alone: bool, first: bool = False) -> None:
        """Have a ticket wait for a worker of `group`; before the others if `first`."""
        waiting = self._waiting[group].alone if alone else self._waiting[group].plain
        if first:
            waiting.appendleft(ticket)
        else:
            waiting.append(ticket)

    def end(self, ticket: int) -> None:
        """The worker that has the ticket in hand, if it is still there, is done with it."""
        if (worker := self._holders.pop(ticket, None)) is not None:
            del worker.held[ticket]
            worker.taken = False

    def assign(self, may_wait: Suits = lambda ticket: False) -> list[tuple[int, str]]:
        """Hand out what can be: pairs (ticket, worker), in hand from now on.

        Args:
            may_wait: whether a ticket may go ahead to wait on a worker that has only such in hand.
        """
        given: list[tuple[int, str]] = []
        for group, waiting in self._waiting.items():
            if waiting.plain or waiting.alone:
                self._assign(waiting, list(self._groups[group].values()), may_wait, given)
        return given

    def _assign(
        self,
        waiting: _Waiting,
        workers: list[_Worker],
        may_wait: Suits,
        given: list[tuple[int, str]],
    ) -> None:
        free = [worker for worker in workers if not worker.taken]
        heapq.heapify(free)  # least in hand first
        while waiting.alone and free and not free[0].held:
            worker = heapq.heappop(free)
            worker.taken = True
            given.append(self._give(waiting.alone, worker))
        for _ in range(min(len(waiting.alone), len(free))):
            heapq.heappop(free)  # to get nothing until it is idle
        while waiting.plain and free:
            ahead = len(waiting.plain) > len(workers) and may_wait(waiting.plain[0])
            if not _has_room(free[0], ahead, may_wait):
                heapq.heappop(free)
                continue
            given.append(self._give(waiting.plain, free[0]))
            heapq.heapreplace(free, free[0])

    def _give(
        self, waiting: deque[int], worker: _Worker, along: int | None = None
    ) -> tuple[int, str]:
        ticket = waiting.popleft()
        worker.held[ticket] = ticket if along is None else along
        self._holders[ticket] = worker
        return ticket, worker.name

    def more(self, ticket: int, most: int, suits: Suits) -> list[int]:
        """Give the worker that got a ticket what waits next and may go along with it.

        Nobody is passed over: it ends at the first ticket that does not suit, and leaves the other
        workers of the group an equal share of what waits.
        """
        worker = self._holders[ticket]
        waiting = self._waiting[worker.group].plain
        most = min(most, len(waiting) // len(self._groups[worker.group]))
        given: list[int] = []
        while len(given) < most and suits(waiting[0]):
            given.append(self._give(waiting, worker, along=ticket)[0])
        return given

    def workers(self) -> dict[str, int]:
        """How many workers each group has."""
        return dict(Counter(worker.group for worker in self._workers.values()))

    def names(self) -> list[str]:
        """All workers."""
        return list(self._workers)

    def idle(self) -> list[str]:
        """The workers with nothing in hand."""
        return [worker.name for worker in self._workers.values() if not worker.held]

    def stranded(self) -> set[str]:
        """Groups with tasks that wait and no worker that could ever take them."""
        return {
            group
            for group, waiting in self._waiting.items()
            if (waiting.plain or waiting.alone) and not self._groups[group]
        }


def _has_room(worker: _Worker, ahead: bool, may_wait: Suits) -> bool:
    """Whether it can take one more: in a lane, or, if that may go ahead, to wait for one."""
    if worker.free_lanes > 0:
        return True
    return ahead and worker.free_lanes == 0 and all(map(may_wait, worker.held))
