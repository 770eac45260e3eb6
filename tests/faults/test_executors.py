"""Tasks in this process and in real Dask workers of our own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.folders import LocalFolder
from pipeline.runtime import dask_executor
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.dask_executor import DaskExecutor
from pipeline.runtime.executors import Executor, InlineExecutor
from pipeline.runtime.fleet import Fleet, Seat
from pipeline.runtime.reports import PartReport
from pipeline.runtime.roster import Left
from pipeline.runtime.store import StepFolder
from schemas.errors import InputError
from schemas.recipe import Placement
from tests.faults.dask_support import (
    Told,
    assert_gone,
    begun,
    family,
    held_task,
    let_go,
    outcome_of,
    perform_or_hold,
    task,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_executor, "perform_on_worker", perform_or_hold)


@contextmanager
def local(told: Told, *seats: Seat, lanes: dict[str, int] | None = None) -> Iterator[Executor]:
    """An executor over workers of its own; all that it started is gone at the end."""
    fleet = Fleet(seats or (Seat("only"),), lanes or {"": 1})
    executor = open_executor(Placement(), fleet, lambda: None, told.append)
    try:
        yield executor
    finally:
        started = family()
        executor.close()
        assert_gone(started)


@pytest.fixture(params=["inline", "dask"])
def executor(request: pytest.FixtureRequest, told: Told) -> Iterator[Executor]:
    if request.param == "dask":
        with local(told) as made:
            yield made
    else:
        made = open_executor(Placement(workers=0), Fleet(), lambda: None, told.append)
        yield made
        made.close()


def test_a_task_commits_its_part_and_reports_it(
    executor: Executor, told: Told, tmp_path: Path
) -> None:
    assert executor.workers() == {"": 1}
    executor.submit(task(tmp_path))
    outcome = outcome_of(executor)
    assert outcome.error is None
    assert isinstance(outcome.value, PartReport)
    assert outcome.value.rows_in == 4
    assert StepFolder(LocalFolder(tmp_path / "step"), "key").drafts().verified(0) == outcome.value
    if isinstance(executor, InlineExecutor):  # from a worker, messages may come later than results
        assert {"task": "magpie/run/0", "expect": 4} in told


def test_an_error_comes_back_as_it_was(executor: Executor, tmp_path: Path) -> None:
    executor.submit(task(tmp_path, stage="no_such_stage"))
    outcome = outcome_of(executor)
    assert isinstance(outcome.error, InputError)
    assert "no_such_stage" in str(outcome.error)
    assert not outcome.died


@pytest.mark.usefixtures("holding")
def test_what_a_dead_worker_had_in_hand_is_told_once_and_what_waited_is_not_blamed(
    told: Told, tmp_path: Path
) -> None:
    with local(told, lanes={"": 2}) as executor:
        for part in range(4):
            executor.submit(held_task(tmp_path, part))
        pid = begun(executor, tmp_path, 0)
        assert begun(executor, tmp_path, 1) == pid
        os.kill(pid, signal.SIGKILL)
        dead = [outcome_of(executor) for _ in range(2)]
        assert [outcome.died for outcome in dead] == [True, True]
        assert {outcome.task.part for outcome in dead} == {0, 1}
        # The nanny has another worker by now, or soon, for those that waited.
        assert begun(executor, tmp_path, 2) != pid
        let_go(tmp_path, 2, 3)
        rest = [outcome_of(executor) for _ in range(2)]
        assert {outcome.value for outcome in rest} == {2, 3}
        assert executor.wait(0.2) is None, "no task has two outcomes"
        assert executor.workers() == {"": 1}


@pytest.mark.usefixtures("holding")
def test_a_task_that_never_reached_its_worker_is_given_to_another(
    told: Told, tmp_path: Path
) -> None:
    with local(told) as executor:
        assert isinstance(executor, DaskExecutor)
        executor.submit(held_task(tmp_path, 0))
        begun(executor, tmp_path, 0)
        # A worker that is gone already, which nobody has told us yet.
        executor._assignment.join("tcp://127.0.0.1:1", "", 1)
        executor.submit(held_task(tmp_path, 1))
        executor._inbox.put(Left("tcp://127.0.0.1:1", frozenset()))
        let_go(tmp_path, 0, 1)
        assert [outcome_of(executor).value for _ in range(2)] == [0, 1]


@pytest.mark.usefixtures("holding")
def test_workers_leave_ctrl_c_to_us(told: Told, tmp_path: Path) -> None:
    with local(told) as executor:
        executor.submit(held_task(tmp_path, 0))
        os.kill(begun(executor, tmp_path, 0), signal.SIGINT)
        assert executor.wait(0.3) is None
        let_go(tmp_path, 0)
        assert outcome_of(executor).value == 0


@pytest.mark.usefixtures("holding")
def test_a_task_that_is_to_be_alone_is_alone_and_the_other_worker_goes_on(
    told: Told, tmp_path: Path
) -> None:
    with local(told, Seat("a"), Seat("b"), lanes={"": 2}) as executor:
        for part in range(4):
            executor.submit(held_task(tmp_path, part))
        pids = [begun(executor, tmp_path, part) for part in range(4)]
        executor.submit(held_task(tmp_path, 4), alone=True)
        executor.submit(held_task(tmp_path, 5))
        first = [part for part in range(4) if pids[part] == pids[0]]
        let_go(tmp_path, *first)
        assert {outcome_of(executor).value for _ in first} == set(first)
        assert begun(executor, tmp_path, 4) == pids[0]
        assert executor.wait(0.3) is None
        assert not (tmp_path / "begun-5").exists(), "one lane is free, beside the one alone"
        (second, other) = [part for part in range(4) if part not in first]
        let_go(tmp_path, second)
        assert outcome_of(executor).value == second
        assert begun(executor, tmp_path, 5) == pids[second]
        let_go(tmp_path, 4, 5, other)
        assert {outcome_of(executor).value for _ in range(3)} == {4, 5, other}


@pytest.mark.usefixtures("holding")
def test_tasks_go_to_workers_of_their_group_with_its_environment(
    told: Told, tmp_path: Path
) -> None:
    seats = (Seat("w"), Seat("j", group="judge", env={"PREFMILL_TEST": "of the judge"}))
    with local(told, *seats, lanes={"": 1, "judge": 2}) as executor:
        assert executor.workers() == {"": 1, "judge": 1}
        for part in range(3):
            executor.submit(held_task(tmp_path, part, group="judge"))
        executor.submit(held_task(tmp_path, 3))
        judge, worker = begun(executor, tmp_path, 0), begun(executor, tmp_path, 3)
        assert begun(executor, tmp_path, 1) == judge != worker
        assert (tmp_path / "begun-0").read_text() == f"{judge} of the judge"
        assert (tmp_path / "begun-3").read_text() == f"{worker} None"
        assert not (tmp_path / "begun-2").exists(), "though the other worker has a lane"
        let_go(tmp_path, *range(4))
        assert {outcome_of(executor).value for _ in range(4)} == set(range(4))


def test_a_group_whose_workers_do_not_come_is_named(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with local(told) as executor:
        monkeypatch.setattr(dask_executor, "_PATIENCE_S", 0.05)
        executor.submit(task(tmp_path, group="judge"))
        assert executor.wait(0.1) is None
        with pytest.raises(InputError, match="no workers for model `judge`"):
            executor.wait(0.1)


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "hung"])
@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
def test_a_worker_that_cannot_answer_does_not_keep_the_executor_from_closing(
    harm: signal.Signals,
    busy: bool,
    told: Told,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_executor, "_CLOSE_TIMEOUT_S", 1)
    with local(told) as executor:
        executor.submit(held_task(tmp_path, 0))
        pid = begun(executor, tmp_path, 0)
        if not busy:
            let_go(tmp_path, 0)
            assert outcome_of(executor).value == 0
        os.kill(pid, harm)
