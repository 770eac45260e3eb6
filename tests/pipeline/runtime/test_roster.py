"""Who is there, as far as anyone said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.runtime.roster import Checked, Joined, Left, Roster
from pipeline.runtime.worker_setup import Facts

FIT = Facts(threads=2, resources={})


class FakeClient:
    """A scheduler that one can look at; checks are noted, not made."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}
        self.checks: list[tuple[str, int]] = []
        self.hear: Callable[[tuple[float, dict[str, Any]]], None]
        self.loop = self

    def nthreads(self) -> dict[str, int]:
        return self.there

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        self.hear = handler

    def add_callback(self, function: Any, worker: str, check: int) -> None:
        self.checks.append((worker, check))


def roster() -> tuple[Roster, FakeClient, list[Joined | Left | Checked]]:
    client, inbox = FakeClient(), list[Joined | Left | Checked]()
    made = Roster(client, None, inbox.append)
    client.there = {"a": 1}
    made.open()
    return made, client, inbox


def test_each_worker_is_checked_once() -> None:
    made, client, _ = roster()
    made.look()
    made.joined("a")
    assert client.checks == [("a", 0)]
    assert made.pending() == ["a"]
    assert made.checked(Checked("a", 0, FIT))
    assert made.pending() == []


def test_a_check_of_a_worker_that_left_does_not_count_for_the_next_at_its_address() -> None:
    made, client, _ = roster()
    made.left("a")
    made.joined("a")
    assert client.checks == [("a", 0), ("a", 1)]
    assert not made.checked(Checked("a", 0, FIT))
    assert made.checked(Checked("a", 1, refusal="of another version"))
    assert made.refusals == {"a": "of another version"}
    made.left("a")
    assert made.refusals == {}


def test_what_the_scheduler_announces_is_passed_on() -> None:
    _, client, inbox = roster()
    client.hear((0.0, {"action": "add-worker", "worker": "b"}))
    gone = {"processing-tasks": {"k"}, "lost-computed-tasks": {"l"}, "worker": "b"}
    client.hear((0.0, {"action": "remove-worker", "expected": True, **gone}))
    client.hear((0.0, {"action": "gather", "count": 1}))
    assert inbox == [Joined("b"), Left("b", frozenset({"k", "l"}), asked=True)]


def test_a_worker_that_went_unannounced_is_missed_the_second_time() -> None:
    made, client, inbox = roster()
    client.there = {"b": 1}
    made.look()
    assert inbox == []
    assert made.pending() == ["a", "b"]
    made.look()
    assert inbox == [Left("a", held=None)]
