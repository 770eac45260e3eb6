"""Who gets what, under any order of events."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pipeline.runtime.assignment import Assignment

GROUPS = st.sampled_from(["", "judge"])


class Farm(RuleBasedStateMachine):
    """Workers come, go and finish what they were given; a plain model keeps the books."""

    def __init__(self) -> None:
        super().__init__()
        self.assignment = Assignment()
        self.lanes: dict[str, int] = {}
        self.group: dict[str, str] = {}
        self.wanted: dict[int, tuple[str, bool]] = {}  # by ticket: group, alone
        self.held: dict[int, str] = {}
        self.done: set[int] = set()
        self.beyond: set[int] = set()  # given to go along with another
        self.number = 0

    workers = Bundle("workers")

    @rule(target=workers, group=GROUPS, lanes=st.integers(1, 4))
    def join(self, group: str, lanes: int) -> str:
        self.number += 1
        name = f"w{self.number}"
        self.lanes[name], self.group[name] = lanes, group
        self.assignment.join(name, group, lanes)
        return name

    @rule(worker=consumes(workers))
    def leave(self, worker: str) -> None:
        lost = sorted(ticket for ticket, holder in self.held.items() if holder == worker)
        assert self.assignment.leave(worker) == lost
        del self.lanes[worker]
        for ticket in lost:  # as the executor does: it comes back under a new number
            del self.held[ticket]
            self.add(*self.wanted.pop(ticket), first=True)

    @rule(group=GROUPS, alone=st.booleans(), first=st.booleans())
    def add(self, group: str, alone: bool, first: bool) -> None:
        self.number += 1
        self.wanted[self.number] = (group, alone)
        self.assignment.add(self.number, group, alone, first)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.held:
            self.finish(data.draw(st.sampled_from(sorted(self.held))))

    def finish(self, ticket: int) -> None:
        del self.held[ticket]
        self.done.add(ticket)
        self.assignment.end(ticket)

    @rule(companions=st.integers(0, 3))
    def assign(self, companions: int = 0) -> None:
        for ticket, worker in self.assignment.assign(lambda t: t % 5 > 1):
            self.give(ticket, worker)
            held = [other for other, holder in self.held.items() if holder == worker]
            if len(set(held) - self.beyond) > self.lanes[worker]:
                assert all(other % 5 > 1 for other in held), "short ones wait for short ones"
            if not self.wanted[ticket][1]:
                for other in self.assignment.more(ticket, companions, lambda t: t % 5 > 2):
                    self.give(other, worker)
                    assert other % 5 > 2
                    self.beyond.add(other)

    def give(self, ticket: int, worker: str) -> None:
        assert ticket not in self.held, "given twice"
        assert ticket not in self.done, "given again"
        assert self.wanted[ticket][0] == self.group[worker], "given to another group"
        self.held[ticket] = worker

    @invariant()
    def at_most_one_waits_for_a_lane(self) -> None:
        for worker, lanes in self.lanes.items():
            held = [ticket for ticket, holder in self.held.items() if holder == worker]
            assert len([ticket for ticket in held if ticket not in self.beyond]) <= lanes + 1

    @invariant()
    def alone_is_alone(self) -> None:
        for ticket, worker in self.held.items():
            if self.wanted[ticket][1]:
                assert list(self.held.values()).count(worker) == 1

    @invariant()
    def it_knows_who_is_there(self) -> None:
        assert sorted(self.assignment.names()) == sorted(self.lanes)
        assert sum(self.assignment.workers().values()) == len(self.lanes)
        assert set(self.assignment.idle()) == set(self.lanes) - set(self.held.values())

    def teardown(self) -> None:
        """Nobody starves: as long as workers finish, all that has workers is served."""
        served = {self.group[worker] for worker in self.lanes}
        self.assign()
        while self.held:
            self.finish(min(self.held))
            self.assign()
        left = {group for t, (group, _) in self.wanted.items() if t not in self.done}
        assert not left & served
        assert self.assignment.stranded() == left


TestFarm = Farm.TestCase
TestFarm.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_the_one_with_the_least_in_hand_is_first() -> None:
    assignment = Assignment()
    assignment.join("a", "", 3)
    assignment.join("b", "", 3)
    for ticket in range(4):
        assignment.add(ticket, "", alone=False)
    assert sorted(worker for _, worker in assignment.assign()) == ["a", "a", "b", "b"]


def test_an_alone_task_drains_one_worker_and_the_others_go_on() -> None:
    assignment = Assignment()
    for name in ("a", "b", "c"):
        assignment.join(name, "", 1)
    for ticket in range(3):
        assignment.add(ticket, "", alone=False)
    holder = {worker: ticket for ticket, worker in assignment.assign()}
    assignment.add(10, "", alone=True)
    for ticket in (20, 21, 22):
        assignment.add(ticket, "", alone=False)
    assert assignment.assign() == []
    assignment.end(holder["b"])
    assert assignment.assign() == [(10, "b")], "the first that is idle"
    assignment.end(holder["a"])
    assert assignment.assign() == [(20, "a")], "and no more than one is drained"


def test_an_idle_newcomer_takes_the_alone_task_for_which_a_busy_one_was_drained() -> None:
    assignment = Assignment()
    assignment.join("busy", "", 2)
    assignment.add(0, "", alone=False)
    assert assignment.assign() == [(0, "busy")]
    assignment.add(1, "", alone=True)
    assignment.add(2, "", alone=False)
    assert assignment.assign() == []
    assignment.join("restarted", "", 2)
    assert assignment.assign() == [(1, "restarted"), (2, "busy")]


def test_what_comes_back_is_first_in_line() -> None:
    assignment = Assignment()
    for ticket in (1, 2):
        assignment.add(ticket, "", alone=False)
    assignment.add(3, "", alone=False, first=True)
    assignment.join("a", "", 1)
    assert assignment.assign() == [(3, "a")]


def test_a_task_that_ends_after_its_worker_left_ends_nothing() -> None:
    assignment = Assignment()
    assignment.join("a", "", 1)
    assignment.add(1, "", alone=False)
    assert assignment.assign() == [(1, "a")]
    assert assignment.leave("a") == [1]
    assignment.end(1)
    assert assignment.workers() == {}


def test_short_tasks_go_along_but_leave_the_others_their_share() -> None:
    assignment = Assignment()
    for name in ("a", "b"):
        assignment.join(name, "", 1)
    for ticket in range(8):
        assignment.add(ticket, "", alone=False)
    assert assignment.assign() == [(0, "b"), (1, "a")]
    assert assignment.more(0, 10, lambda ticket: True) == [2, 3, 4]
    assert assignment.more(1, 10, lambda ticket: ticket != 6) == [5]
    assert assignment.assign() == [], "both are busy"
    for ticket in (0, 2, 3):
        assignment.end(ticket)
    assert assignment.assign() == [], "and stay so until all of it is done"
    assignment.end(4)
    assert assignment.assign() == [(6, "b")]


def test_a_short_task_goes_ahead_of_its_lane_while_others_wait_for_whoever_is_first() -> None:
    assignment = Assignment()
    assignment.join("a", "", 1)
    for ticket in range(4):
        assignment.add(ticket, "", alone=False)
    assert assignment.assign(lambda ticket: True) == [(0, "a"), (1, "a")]
    assignment.end(0)
    assert assignment.assign(lambda ticket: ticket != 1) == [], "a long one is at work"
    assert assignment.assign(lambda ticket: True) == [(2, "a")]
    assignment.end(1)
    assert assignment.assign(lambda ticket: True) == [], "the last stays for a worker that joins"
    assignment.join("b", "", 1)
    assert assignment.assign(lambda ticket: True) == [(3, "b")]
