"""A Dask cluster that others started: processes of their own, joined, used and left in peace."""

from __future__ import annotations

import dataclasses
import importlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, Security

from pipeline.runtime import dask_executor
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.executors import Executor
from pipeline.runtime.fleet import Fleet
from schemas.errors import InputError
from schemas.recipe import Placement
from tests.faults.dask_support import (
    ROOT,
    Cluster,
    Told,
    begun,
    cluster,
    held_task,
    let_go,
    outcome_of,
    perform_or_hold,
    task,
    until,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_executor, "perform_on_worker", perform_or_hold)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    with cluster(tmp_path) as started:
        yield started


def reach(folder: Path) -> None:
    """The probe: write and read back."""
    path = folder / f"probe-{os.getpid()}"
    path.write_text("here")
    assert path.read_text() == "here"


@contextmanager
def joined(
    address: str, folder: Path, told: Told, lanes: dict[str, int] | None = None
) -> Iterator[Executor]:
    fleet = Fleet(lanes=lanes or {"": 2})
    placement = Placement(scheduler=address)
    executor = open_executor(placement, fleet, partial(reach, folder), told.append)
    try:
        yield executor
    finally:
        executor.close()


def tls_files(folder: Path) -> dict[str, str]:
    """Dask settings, as environment variables, for certificates of our own making."""
    security = Security.temporary()
    found = {}
    for role in ("scheduler", "worker", "client"):
        for key, text in security.get_tls_config_for_role(role).items():
            if key in ("ca_file", "cert", "key"):
                name = "ca_file" if key == "ca_file" else f"{role}_{key}"
                (folder / f"{name}.pem").write_text(text)
                setting = "ca_file" if key == "ca_file" else f"{role}.{key}"
                found[f"distributed.comm.tls.{setting}"] = str(folder / f"{name}.pem")
    return found


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    return {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": value
        for name, value in settings.items()
    }


def open_engines(dask_worker: Any) -> tuple[bool, bool]:
    """Whether a worker has an engine open, and our plugin."""
    from pipeline.runtime.worker import POOL

    return POOL._open is not None, "prefmill-engine" in dask_worker.plugins


def known_tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_worker_of_others_that_dies_costs_what_it_had_in_hand_and_they_keep_their_cluster(
    tls: bool, told: Told, tmp_path: Path
) -> None:
    settings = tls_files(tmp_path) if tls else {}
    with (
        dask.config.set(settings),
        cluster(tmp_path, environment=as_environment(settings), tls=tls) as others,
    ):
        assert others.address.startswith("tls://" if tls else "tcp://")
        for _ in range(2):
            others.add_worker("--nthreads", "2")
        with joined(others.address, tmp_path, told) as executor:
            until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 2})
            for part in range(4):
                executor.submit(held_task(tmp_path, part))
            pids = [begun(executor, tmp_path, part) for part in range(4)]
            os.kill(pids[0], signal.SIGKILL)
            lost = [part for part in range(4) if pids[part] == pids[0]]
            assert len(lost) == 2
            dead = [outcome_of(executor) for _ in lost]
            assert sorted(outcome.task.part for outcome in dead if outcome.died) == lost
            executor.submit(task(tmp_path, part=9))
            assert outcome_of(executor).task.part == 9, "by the nanny's next worker"
            let_go(tmp_path, *range(4))
            kept = [outcome_of(executor) for _ in range(2)]
            assert not {outcome.value for outcome in kept} & set(lost)
            assert executor.wait(0.3) is None, "Dask has not tried them again"
        with Client(others.address, set_as_default=False) as client:
            assert len(client.nthreads()) == 2
            assert set(client.run(open_engines).values()) == {(False, False)}
            until(lambda: client.run_on_scheduler(known_tasks) == 0)
    assert told == [message for message in told if "warning" not in message]


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_busy_worker_of_others_closes_our_engine_once_it_is_through(
    threads: str, plain: Cluster, told: Told, tmp_path: Path
) -> None:
    plain.add_worker("--nthreads", threads)
    with joined(plain.address, tmp_path, told) as executor:
        executor.submit(task(tmp_path))
        assert outcome_of(executor).error is None
        executor.submit(held_task(tmp_path, 1))
        begun(executor, tmp_path, 1)
    with Client(plain.address, set_as_default=False) as client:
        assert set(client.run(open_engines).values()) == {(True, True)}
        let_go(tmp_path, 1)
        until(lambda: set(client.run(open_engines).values()) == {(False, False)})
        until(lambda: client.run_on_scheduler(known_tasks) == 0)


@pytest.mark.usefixtures("holding")
def test_a_worker_that_its_cluster_sends_away_is_nobodys_death(
    plain: Cluster, told: Told, tmp_path: Path
) -> None:
    for _ in range(2):
        plain.add_worker("--nthreads", "1", "--no-nanny")
    with (
        joined(plain.address, tmp_path, told, {"": 1}) as executor,
        Client(plain.address, set_as_default=False) as client,
    ):
        until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 2})
        for part in range(2):
            executor.submit(held_task(tmp_path, part))
        pids = [begun(executor, tmp_path, part) for part in range(2)]
        (address,) = (a for a, pid in client.run(os.getpid).items() if pid == pids[0])
        client.retire_workers([address])
        until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 1})
        let_go(tmp_path, 0, 1)
        ended = [outcome_of(executor) for _ in range(2)]
        assert [outcome.value for outcome in ended] == [1, 0]
        assert not any(outcome.died for outcome in ended)


def test_what_a_worker_cannot_unpickle_is_an_error_and_no_death(
    plain: Cluster, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "only_here.py").write_text("class Settings: pass\n")
    monkeypatch.syspath_prepend(tmp_path / "here")
    settings = importlib.import_module("only_here").Settings()
    plain.add_worker()
    with joined(plain.address, tmp_path, told) as executor:
        executor.submit(dataclasses.replace(task(tmp_path), config=settings))
        outcome = outcome_of(executor)
        assert isinstance(outcome.error, ModuleNotFoundError)
        assert not outcome.died
        assert executor.workers() == {"": 1}


def test_workers_are_told_apart_by_their_resources(
    plain: Cluster, told: Told, tmp_path: Path
) -> None:
    plain.add_worker("--nthreads", "2", "--resources", "judge=1")
    plain.add_worker("--nthreads", "1", "--resources", "GPU=2")
    with joined(plain.address, tmp_path, told, {"": 2, "judge": 2}) as executor:
        until(lambda: executor.wait(0.05) is None and len(executor.workers()) == 2)
        assert executor.workers() == {"": 1, "judge": 1}
        executor.submit(task(tmp_path, group="judge"))
        assert outcome_of(executor).error is None
    (warning,) = [message["warning"] for message in told if "warning" in message]
    assert "1 thread" in warning and "--nthreads" in warning


def test_a_late_worker_is_checked_and_left_alone_if_it_is_unfit(
    plain: Cluster, told: Told, tmp_path: Path
) -> None:
    plain.add_worker("--nthreads", "2")
    with joined(plain.address, tmp_path, told) as executor:
        other = {"PYTHONPATH": f"{other_version(tmp_path)}{os.pathsep}{ROOT}"}
        plain.add_worker(environment=other)
        until(lambda: executor.wait(0.05) is None and any("warning" in m for m in told))
        assert executor.workers() == {"": 1}
        plain.add_worker("--nthreads", "2")
        until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 2})
    (warning,) = [message["warning"] for message in told if "warning" in message]
    assert "prefmill 9.9" in warning


def other_version(folder: Path) -> Path:
    """A folder that makes importlib believe in another prefmill."""
    facts = folder / "other" / "prefmill-9.9.dist-info" / "METADATA"
    facts.parent.mkdir(parents=True)
    facts.write_text("Metadata-Version: 2.1\nName: prefmill\nVersion: 9.9\n")
    return folder / "other"


def unreachable(folder: Path) -> None:
    """A probe that fails on workers only."""
    raise OSError(f"{folder} is not mounted here")


def test_an_unfit_worker_is_refused_at_the_start(
    plain: Cluster, told: Told, tmp_path: Path
) -> None:
    other = {"PYTHONPATH": f"{other_version(tmp_path)}{os.pathsep}{ROOT}"}
    plain.add_worker(environment=other)
    with pytest.raises(InputError) as refused, joined(plain.address, tmp_path, told):
        pass
    assert "the Dask worker at tcp://127.0.0.1:" in str(refused.value)
    assert "prefmill 9.9, this is prefmill" in str(refused.value)


def test_a_worker_without_prefmill_is_refused(plain: Cluster, told: Told, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pipeline':\n"
        "            raise ModuleNotFoundError(\"No module named 'pipeline'\")\n"
        "sys.meta_path.insert(0, Without())\n"
    )
    plain.add_worker(environment={"PYTHONPATH": str(tmp_path / "bare")})
    with (
        pytest.raises(InputError, match=r"cannot be used: .*No module named 'pipeline'"),
        joined(plain.address, tmp_path, told),
    ):
        pass


def test_a_worker_that_cannot_reach_the_work_folder_is_refused(
    plain: Cluster, told: Told, tmp_path: Path
) -> None:
    plain.add_worker()
    with pytest.raises(InputError, match=r"worker at tcp://127.*: OSError: .* is not mounted here"):
        placement = Placement(scheduler=plain.address)
        open_executor(placement, Fleet(), partial(unreachable, tmp_path), told.append)


def test_a_cluster_without_workers_is_refused_and_says_how_to_start_one(
    plain: Cluster, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_executor, "_PATIENCE_S", 0.2)
    with (
        pytest.raises(InputError, match=f"no workers .* dask worker {plain.address} "),
        joined(plain.address, tmp_path, told),
    ):
        pass


@pytest.mark.parametrize("scheme", ["tcp", "tls", "carrier-pigeon"])
def test_an_address_where_nobody_answers_is_refused(
    scheme: str, told: Told, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and refusing: nobody listens
        address = f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(InputError, match=f"no Dask scheduler can be reached at {address}"),
            joined(address, tmp_path, told),
        ):
            pass


@pytest.mark.usefixtures("holding")
def test_a_scheduler_that_is_gone_ends_the_run(plain: Cluster, told: Told, tmp_path: Path) -> None:
    plain.add_worker()
    with joined(plain.address, tmp_path, told) as executor:
        executor.submit(held_task(tmp_path, 0))
        begun(executor, tmp_path, 0)
        plain.scheduler.kill()
        with pytest.raises(InputError, match=r"scheduler is gone.*go on from here"):
            outcome_of(executor)
        let_go(tmp_path, 0)


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
@pytest.mark.usefixtures("holding")
def test_a_scheduler_that_hangs_does_not_keep_the_executor_from_closing(
    busy: bool, plain: Cluster, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_executor, "_CLOSE_TIMEOUT_S", 1)
    plain.add_worker()
    with joined(plain.address, tmp_path, told) as executor:
        if busy:
            executor.submit(held_task(tmp_path, 0))
            begun(executor, tmp_path, 0)
        plain.scheduler.suspend()
    plain.scheduler.resume()
    let_go(tmp_path, 0)
