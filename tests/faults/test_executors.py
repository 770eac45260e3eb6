"""Tasks in this process and in real Dask workers."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.engines.resolve import resolve_model
from pipeline.runtime import executors
from pipeline.runtime.executors import DaskExecutor, Executor, InlineExecutor, Outcome
from pipeline.runtime.store import PartReport, StepFolder
from pipeline.runtime.worker import PartTask
from schemas.errors import InputError
from schemas.recipe import ModelEntry, ModelPlacement
from stages.magpie import Config as MagpieConfig

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

Told = list[dict[str, Any]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture(params=["inline", "dask"])
def executor(request: pytest.FixtureRequest, told: Told) -> Iterator[Executor]:
    makers: dict[str, Callable[[], Executor]] = {
        "inline": lambda: InlineExecutor(told.append),
        "dask": lambda: DaskExecutor(1, told.append),
    }
    made = makers[request.param]()
    yield made
    made.close()


def task(folder: Path, stage: str = "magpie", part: int = 0) -> PartTask:
    entry = ModelEntry(model="echo", engine="scripted")
    spec = resolve_model("policy", entry, ModelPlacement(), folder)
    return PartTask(
        step="magpie",
        stage=stage,
        config=MagpieConfig(model="policy", rows=4),
        phase="run",
        part=part,
        start=0,
        size=4,
        recipe_seed=7,
        folder=StepFolder(folder / "step", "key"),
        input=None,
        specs={"policy": spec},
    )


def workers_here() -> list[psutil.Process]:
    """The processes below this one, without multiprocessing's tracker, which lives as long as it.

    One that is gone already cannot be asked for its command.
    """
    family = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(process.cmdline()):
                family.append(process)
    return family


def outcome_of(executor: Executor) -> Outcome:
    while (outcome := executor.wait(1.0)) is None:
        pass
    return outcome


def test_a_task_commits_its_part_and_reports_it(
    executor: Executor, told: Told, tmp_path: Path
) -> None:
    executor.submit(task(tmp_path))
    outcome = outcome_of(executor)
    assert outcome.error is None
    assert isinstance(outcome.value, PartReport)
    assert outcome.value.rows_in == 4
    assert StepFolder(tmp_path / "step", "key").drafts().part_report(0) == outcome.value
    if isinstance(executor, InlineExecutor):  # from a worker, messages may come later than results
        assert {"task": "magpie/run/0", "expect": 4} in told


def test_an_error_comes_back_as_it_was(executor: Executor, tmp_path: Path) -> None:
    executor.submit(task(tmp_path, stage="no_such_stage"))
    outcome = outcome_of(executor)
    assert isinstance(outcome.error, InputError)
    assert "no_such_stage" in str(outcome.error)
    assert not outcome.died


def test_a_worker_that_dies_is_told_replaced_and_leaves_nothing(tmp_path: Path, told: Told) -> None:
    executor = DaskExecutor(1, told.append)
    try:
        (pid,) = executor._client.run(os.getpid).values()
        # A worker that is stopped cannot finish the task before it is killed.
        os.kill(pid, signal.SIGSTOP)
        executor.submit(task(tmp_path))
        assert executor.wait(0.5) is None
        os.kill(pid, signal.SIGKILL)
        assert outcome_of(executor).died
        executor.submit(task(tmp_path))
        assert outcome_of(executor).error is None
        family = workers_here()
    finally:
        executor.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "hung"])
def test_a_worker_that_cannot_answer_does_not_keep_the_executor_from_closing(
    harm: signal.Signals, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_CLOSE_TIMEOUT_S", 1)
    executor = DaskExecutor(1, told.append)
    (pid,) = executor._client.run(os.getpid).values()
    family = workers_here()
    try:
        os.kill(pid, harm)
    finally:
        executor.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
