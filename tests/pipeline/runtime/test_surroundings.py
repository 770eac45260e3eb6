"""Things that a step makes once in a process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.folders import LocalFolder
from pipeline.runtime.store import StepFolder
from pipeline.runtime.surroundings import StepSurroundings


def around(folder: Path) -> StepSurroundings:
    return StepSurroundings("step", 7, StepFolder(LocalFolder(folder), "key"))


def test_a_thing_is_made_once_for_all_that_ask_at_the_same_time(tmp_path: Path) -> None:
    made: list[int] = []
    all_ask = threading.Barrier(4)

    def make() -> object:
        made.append(1)
        return object()

    def ask(_: int) -> object:
        all_ask.wait()
        return around(tmp_path).once("thing", make)

    with ThreadPoolExecutor(4) as threads:
        things = set(threads.map(ask, range(4)))
    assert (len(things), made) == (1, [1])


def test_one_thing_in_the_making_holds_up_no_other(tmp_path: Path) -> None:
    """As when the model of one step has to answer first, and another step needs its target."""
    slow_may_end = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(around(tmp_path).once, "slow", lambda: slow_may_end.wait(30))
        assert around(tmp_path).once("quick", lambda: "made") == "made"
        assert not slow.done()
        slow_may_end.set()
        assert slow.result()


def test_a_thing_may_be_made_of_another(tmp_path: Path) -> None:
    here = around(tmp_path)
    assert here.once("outer", lambda: here.once("inner", lambda: 3) + 1) == 4


def test_what_could_not_be_made_is_tried_again(tmp_path: Path) -> None:
    def fail() -> int:
        raise ValueError("not yet")

    with pytest.raises(ValueError, match="not yet"):
        around(tmp_path).once("thing", fail)
    assert around(tmp_path).once("thing", lambda: 5) == 5
