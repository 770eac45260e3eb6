"""Which waiting task goes to which worker, as a pure data structure.

Each worker has lanes: how many tasks it may have in hand at once. A task waits here, not on a
worker, until there is a lane for it; so when a worker dies, only what it really had is suspect.
Short tasks may go along with one that found a lane, since sending one takes longer than doing it.

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


@dataclass(slots=True)
class _Worker:
    """A worker; `held` are the tickets that it has in hand."""

    name: str
    group: str
    lanes: int
    held: set[int] = field(default_factory=set)
    taken: bool = False  # by a task that is to be alone

    def __lt__(self, other: _Worker) -> bool:
        return len(self.held) < len(other.held)


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
            worker.held.remove(ticket)
            worker.taken = False

    def assign(self) -> list[tuple[int, str]]:
        """Hand out what can be: pairs (ticket, worker), in hand from now on."""
        given: list[tuple[int, str]] = []
        for group, waiting in self._waiting.items():
            if waiting.plain or waiting.alone:
                self._assign(waiting, list(self._groups[group].values()), given)
        return given

    def _assign(
        self, waiting: _Waiting, workers: list[_Worker], given: list[tuple[int, str]]
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
            if len(free[0].held) >= free[0].lanes:
                heapq.heappop(free)
                continue
            given.append(self._give(waiting.plain, free[0]))
            heapq.heapreplace(free, free[0])

    def _give(self, waiting: deque[int], worker: _Worker) -> tuple[int, str]:
        ticket = waiting.popleft()
        worker.held.add(ticket)
        self._holders[ticket] = worker
        return ticket, worker.name

    def more(self, worker: str, most: int, suits: Callable[[int], bool]) -> list[int]:
        """Give a worker, beyond its lanes, what waits next and is to go along with what it got.

        Nobody is passed over: it ends at the first ticket that does not suit, and leaves the other
        workers of the group an equal share of what waits.
        """
        group = self._workers[worker].group
        waiting = self._waiting[group].plain
        most = min(most, len(waiting) // len(self._groups[group]))
        given: list[int] = []
        while len(given) < most and suits(waiting[0]):
            given.append(self._give(waiting, self._workers[worker])[0])
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
