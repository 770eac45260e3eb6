"""Tasks, workers and schedulers for the tests that start Dask."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import psutil

from pipeline.engines.resolve import resolve_model
from pipeline.folders import LocalFolder
from pipeline.runtime.executors import Executor, Outcome
from pipeline.runtime.store import StepFolder
from pipeline.runtime.task import PartTask
from pipeline.runtime.worker_setup import at_work, perform_on_worker
from schemas.recipe import ModelEntry, ModelPlacement
from stages.magpie import Config as MagpieConfig
from tests.faults.processes import assert_gone

ROOT = Path(__file__).parents[2]
Told = list[dict[str, Any]]


def task(folder: Path, stage: str = "magpie", part: int = 0, group: str = "") -> PartTask:
    """A part of four rows that a scripted model answers at once."""
    entry = ModelEntry(model="echo", engine="scripted")
    spec = resolve_model("policy", entry, ModelPlacement(), folder)
    return PartTask(
        step="magpie",
        stage=stage,
        config=MagpieConfig(model="policy", rows=4),
        phase="run",
        part=part,
        start=4 * part,
        size=4,
        recipe_seed=7,
        folder=StepFolder(LocalFolder(folder / "step"), "key"),
        input=None,
        specs={"policy": spec},
        group=group,
    )


def held_task(folder: Path, part: int, group: str = "") -> PartTask:
    """A task that goes on until `let_go`, where `perform_or_hold` runs."""
    return dataclasses.replace(task(folder, part=part, group=group), step="held")


def perform_or_hold(packed: bytes, topic: str) -> Any:
    """In the place of `perform_on_worker`."""
    task: PartTask = pickle.loads(packed)[0]
    if task.step != "held":
        return perform_on_worker(packed, topic)
    folder = Path(task.folder.folder.url).parent
    unfinished = folder / f"begun-{task.part}.new"
    unfinished.write_text(f"{os.getpid()} {os.environ.get('PREFMILL_TEST')}")
    unfinished.rename(folder / f"begun-{task.part}")
    with at_work():
        while not (folder / f"go-{task.part}").exists():
            time.sleep(0.02)
    return [task.part], 0.0


def content() -> None:
    """A probe that finds nothing wrong."""


def begun(executor: Executor, folder: Path, part: int) -> int:
    """Wait until a held task runs, and nothing ends; returns the process id of its worker."""

    def runs() -> bool:
        assert executor.wait(0) is None
        return marker.exists()

    marker = folder / f"begun-{part}"
    until(runs)
    return int(marker.read_text().split()[0])


def let_go(folder: Path, *parts: int) -> None:
    for part in parts:
        (folder / f"go-{part}").touch()


def outcome_of(executor: Executor) -> Outcome:
    """The next outcome, however long it takes."""
    while (outcome := executor.wait(1.0)) is None:
        pass
    return outcome


def until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def family() -> list[psutil.Process]:
    """The processes below this one, without multiprocessing's own, which live as long as it."""
    own = {resource_tracker._resource_tracker._pid, forkserver._forkserver._forkserver_pid}  # type: ignore[attr-defined] # nothing else tells them
    return [p for p in psutil.Process().children(recursive=True) if p.pid not in own]


class Cluster:
    """A scheduler and workers as their own processes, as someone else would start them."""

    def __init__(self, folder: Path, environment: Mapping[str, str], tls: bool = False) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._protocol = ["--protocol", "tls"] if tls else []
        self._stack = ExitStack()
        self._file = folder / "scheduler.json"
        dashboard = ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = self._start(
            "dask_scheduler", "--port", "0", "--scheduler-file", self._file, *dashboard
        )
        until(self._file.exists)
        self.address = str(json.loads(self._file.read_text())["address"])

    def add_worker(
        self, *options: str, environment: Mapping[str, str] | None = None
    ) -> psutil.Process:
        """Start a worker under a nanny; returns the nanny."""
        where = ["--scheduler-file", self._file, "--no-dashboard"]
        return self._start("dask_worker", *where, *options, environment=environment)

    def close(self) -> None:
        self._stack.close()

    def _start(
        self, program: str, *options: object, environment: Mapping[str, str] | None = None
    ) -> psutil.Process:
        process = psutil.Popen(
            [
                *(sys.executable, "-m", f"distributed.cli.{program}", "--host", "127.0.0.1"),
                *self._protocol,
                *map(str, options),
            ],
            cwd=self._folder,
            env={**self._environment, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(_stop, process)
        return process


def _stop(process: psutil.Popen) -> None:
    children = process.children(recursive=True) if process.is_running() else []
    process.terminate()
    psutil.wait_procs([process], timeout=10)
    for one in [process, *children]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


@contextmanager
def cluster(folder: Path, **settings: Any) -> Iterator[Cluster]:
    """A `Cluster` that is gone, and leaves nothing, when the block ends."""
    started = Cluster(folder, settings.pop("environment", {}), **settings)
    try:
        yield started
    finally:
        processes = family()
        started.close()
        assert_gone(processes)
