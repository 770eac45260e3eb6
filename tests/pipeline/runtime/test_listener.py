"""Several listeners hear the same."""

import threading
from typing import Any

import pytest

from pipeline.runtime.listener import Fanout, Listener, place_of
from pipeline.runtime.tally import Tally
from tests.pipeline.runtime.seen import TOTAL, keyed, part


class Heard(Listener):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name == "calls":
            return super().__getattribute__(name)
        return lambda *args: self.calls.append(name)


CALLS: dict[str, tuple[Any, ...]] = {
    "opened": (keyed("a"), 3, 0, None),
    "part_done": (keyed("a"), part(0)),
    "passed": (keyed("a"), "sketch", 2, 0.1),
    "part_lost": (keyed("a"), 1, "died", True),
    "workers": (2, None),
    "warn": ("careful",),
    "closed": (keyed("a"), TOTAL),
    "tick": (),
}


def test_all_of_them_hear_everything_in_their_order() -> None:
    both = (Heard(), Heard())
    fanout = Fanout(both)
    for name, arguments in CALLS.items():
        getattr(fanout, name)(*arguments)
    assert both[0].calls == both[1].calls == list(CALLS)


def test_every_method_of_the_protocol_is_passed_on() -> None:
    methods = {name for name in vars(Listener) if not name.startswith("_")}
    assert methods == {*CALLS, "tell"}
    assert methods <= vars(Fanout).keys()


def test_a_workers_warning_is_a_warning() -> None:
    heard = Heard()
    Fanout([heard]).tell({"warning": "low memory"})
    assert heard.calls == ["warn"]


def test_where_parts_run_in_the_runners_thread_telling_makes_it_tick() -> None:
    heard = Heard()
    fanout = Fanout([heard])
    fanout.opened(*CALLS["opened"])
    fanout.tell({"task": "a/run/0"})
    assert heard.calls == ["opened", "tell", "tick"]
    other = threading.Thread(target=fanout.tell, args=[{"task": "a/run/0"}])
    other.start()
    other.join()
    assert heard.calls == ["opened", "tell", "tick", "tell"]


def test_a_listener_that_fails_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        Fanout([Tally()]).part_done(keyed("never_opened"), part(0))


def test_places() -> None:
    assert place_of("judge_twice/apply/12") == ("judge_twice", 12)
