"""Real processes that really die: nothing is lost, doubled or left behind."""

import os
import signal
import subprocess
import sys
import time
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


def start(recipe: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(recipe: Path, out: Path) -> pa.Table:
    process = start(recipe, out)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
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
    process = start(recipe, out)
    wait_for_parts(out, parts, process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, "workers outlived the run"
    assert finish(recipe, out).equals(undisturbed)


def test_a_killed_worker_costs_nothing_but_its_part(
    recipe: Path, tmp_path: Path, undisturbed: pa.Table
) -> None:
    out = tmp_path / "out"
    process = start(recipe, out)
    wait_for_parts(out, 2, process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    assert workers
    workers[0].send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    assert pq.read_table(out / "dataset" / "dpo").equals(undisturbed)


def test_ctrl_c_finishes_what_is_in_flight_exits_130_and_resumes(
    recipe: Path, tmp_path: Path, undisturbed: pa.Table
) -> None:
    out = tmp_path / "out"
    process = start(recipe, out)
    wait_for_parts(out, 3, process)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert b"Traceback" not in errors
    assert not (out / "dataset").exists()
    assert finish(recipe, out).equals(undisturbed)
