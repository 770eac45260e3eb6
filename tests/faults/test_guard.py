"""Engines with processes of their own: nothing outlives its worker, nor workers the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.runtime import dask_executor
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.fleet import Fleet, Seat
from schemas.recipe import Placement
from tests.faults.dask_support import (
    ROOT,
    assert_gone,
    begun,
    content,
    family,
    held_task,
    outcome_of,
    perform_or_hold,
    until,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

CHILDREN = 3
FLEET = Fleet((Seat("split", children=True),), {"": 1})


def hold_with_children(packed: bytes, topic: str) -> object:
    """A held task of an engine that starts, forks, and has a child in a group of its own."""
    sleep = ["sleep", "1000"]
    subprocess.Popen(sleep)
    subprocess.Popen(sleep, process_group=0)
    if os.fork() == 0:
        os.execvp("sleep", sleep) if os.fork() == 0 else signal.pause()
    return perform_or_hold(packed, topic)


def below(pid: int, n: int) -> list[psutil.Process]:
    """Wait until a process has n descendants that sleep or wait, and return all."""
    found: list[psutil.Process] = []

    def there() -> bool:
        found[:] = psutil.Process(pid).children(recursive=True)
        return len(found) >= n

    until(there)
    return found


def test_what_a_killed_worker_started_is_gone_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_executor, "perform_on_worker", hold_with_children)
    executor = open_executor(Placement(), FLEET, content, print)
    try:
        executor.submit(held_task(tmp_path, 0))
        pid = begun(executor, tmp_path, 0)
        started = below(pid, 5)  # four of the engine, and the guard
        os.kill(pid, signal.SIGKILL)
        assert outcome_of(executor).died
        assert_gone(started)
        until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 1})
        rest = family()
    finally:
        executor.close()
    assert_gone(rest)


def test_everything_is_gone_when_an_executor_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_executor, "perform_on_worker", hold_with_children)
    executor = open_executor(Placement(), FLEET, content, print)
    executor.submit(held_task(tmp_path, 0))
    pid = begun(executor, tmp_path, 0)
    started = below(pid, 5)
    executor.close()
    assert_gone(started)


def drive(folder: Path) -> None:
    """A run, in the process that will be killed."""
    dask_executor.perform_on_worker = hold_with_children  # type: ignore[assignment] # as above
    executor = open_executor(Placement(), FLEET, content, print)
    executor.submit(held_task(folder, 0))
    while True:
        executor.wait(1.0)


def test_everything_is_gone_when_the_run_is_killed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from tests.faults.test_guard import drive\n"
        f"if __name__ == '__main__': drive(Path({str(tmp_path)!r}))\n"
    )
    (tmp_path / "drive.py").write_text(code)
    run = subprocess.Popen(
        [sys.executable, tmp_path / "drive.py"], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    marker = tmp_path / "begun-0"
    until(marker.exists)
    below(int(marker.read_text().split()[0]), 5)
    started = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    assert_gone(started)
