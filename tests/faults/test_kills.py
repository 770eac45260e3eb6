"""Real processes that really die: nothing is lost, doubled or left behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

RECIPE = """
name: kills
seed: 3
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 60}
  - {stage: respond, model: policy, n: 3}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
export:
  - {config: dpo, layout: trl}
placement: {workers: 2, part_rows: 5}
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "kills.yaml"
    path.write_text(RECIPE)
    return path


@contextmanager
def running(recipe: Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run as a process of its own, gone when the block ends; its errors go to a file."""
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--out", str(out)]
    with (
        errors_of(out).open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def errors_of(out: Path) -> Path:
    return out.with_suffix(".stderr")


def finish(recipe: Path, out: Path) -> pa.Table:
    with running(recipe, out) as process:
        assert process.wait(timeout=120) == 0, errors_of(out).read_text()
    return pq.read_table(out / "dataset" / "dpo")


def wait_for_parts(out: Path, n: int, process: subprocess.Popen[bytes]) -> None:
    """Until n parts are committed: a place in the work, not a time."""
    deadline = time.monotonic() + 60
    while len(list(out.glob("work/*/**/part-*.json"))) < n:
        assert process.poll() is None, "the run ended before it was to be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("undisturbed")
    path = folder / "kills.yaml"
    path.write_text(RECIPE)
    return finish(path, folder / "out")


@pytest.mark.parametrize("parts", [1, 14, 30])
def test_a_killed_run_resumes_to_the_same_rows_and_leaves_no_process(
    recipe: Path, tmp_path: Path, undisturbed: pa.Table, parts: int
) -> None:
    out = tmp_path / "out"
    with running(recipe, out) as process:
        wait_for_parts(out, parts, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, "workers outlived the run"
    assert finish(recipe, out).equals(undisturbed)


def is_worker(process: psutil.Process) -> bool:
    command = " ".join(process.cmdline())
    return "dask worker" in command or "spawn_main" in command


def test_a_killed_worker_costs_nothing_but_its_part(
    recipe: Path, tmp_path: Path, undisturbed: pa.Table
) -> None:
    out = tmp_path / "out"
    with running(recipe, out) as process:
        wait_for_parts(out, 2, process)
        workers = filter(is_worker, psutil.Process(process.pid).children(recursive=True))
        next(workers).kill()
        assert process.wait(timeout=120) == 0, errors_of(out).read_text()
    assert "Traceback" not in errors_of(out).read_text()
    assert pq.read_table(out / "dataset" / "dpo").equals(undisturbed)


def test_ctrl_c_finishes_what_is_in_flight_exits_130_and_resumes(
    recipe: Path, tmp_path: Path, undisturbed: pa.Table
) -> None:
    out = tmp_path / "out"
    with running(recipe, out) as process:
        wait_for_parts(out, 3, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130, errors_of(out).read_text()
    assert "Traceback" not in errors_of(out).read_text()
    assert not (out / "dataset").exists()
    assert finish(recipe, out).equals(undisturbed)


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.8, 1.5])
def test_ctrl_c_at_any_point_ends_in_order(recipe: Path, tmp_path: Path, delay_s: float) -> None:
    """Also while Python and Dask are starting: no traceback, and the run can go on."""
    out = tmp_path / "out"
    with running(recipe, out) as process:
        time.sleep(0.15 + delay_s)  # a point in time is what is tried here
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    assert code in (130, 0, -signal.SIGINT), errors_of(out).read_text()
    if code != -signal.SIGINT:  # before main() took over, Python itself ends the process
        assert "Traceback" not in errors_of(out).read_text()
    finish(recipe, out)
