"""Which tasks travel together, and what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runtime import errands
from pipeline.runtime.errands import AHEAD_S, ERRAND_S, Paces, perform_all
from pipeline.runtime.task import PartTask
from tests.faults.dask_support import task


@pytest.fixture
def tasks(tmp_path: Path) -> list[PartTask]:
    return [task(tmp_path, part=part) for part in range(4)]


def number(task: PartTask) -> int:
    return task.part


def test_nothing_goes_along_before_the_pace_is_known(tasks: list[PartTask]) -> None:
    assert Paces().companions(tasks[0]) == 0


@pytest.mark.parametrize(
    ("seconds", "companions"), [(60.0, 0), (ERRAND_S, 0), (ERRAND_S / 4, 3), (0.0, 49)]
)
def test_as_many_go_along_as_fit_in_the_time(
    tasks: list[PartTask], seconds: float, companions: int
) -> None:
    paces = Paces()
    paces.note(tasks[0], seconds)
    assert paces.companions(tasks[1]) == companions


@pytest.mark.parametrize(
    ("seconds", "queue"), [(AHEAD_S, 0), (AHEAD_S * 0.9, 2), (ERRAND_S / 4, 11)]
)
def test_short_ones_go_ahead_with_as_many_in_line_as_that_takes(
    tasks: list[PartTask], seconds: float, queue: int
) -> None:
    paces = Paces()
    assert not paces.may_go_ahead(tasks[0])
    paces.note(tasks[0], seconds)
    assert paces.may_go_ahead(tasks[1]) == (queue > 0)
    assert paces.queue(tasks[1]) == queue


def test_all_are_performed_in_order(tasks: list[PartTask]) -> None:
    assert perform_all(tasks, number) == [0, 1, 2, 3]


def test_it_stops_when_the_time_is_up(
    tasks: list[PartTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((0.0, ERRAND_S / 2, ERRAND_S * 2))
    monkeypatch.setattr(errands.time, "monotonic", lambda: next(clock))
    assert perform_all(tasks, number) == [0, 1]


def test_it_stops_before_the_one_that_fails(tasks: list[PartTask]) -> None:
    def perform(task: PartTask) -> int:
        if task.part == 2:
            raise ValueError("two")
        return task.part

    assert perform_all(tasks, perform) == [0, 1]
    with pytest.raises(ValueError, match="two"):
        perform_all(tasks[2:], perform)
