"""A cluster that a run starts for itself, by dask-jobqueue and a stand-in for Slurm's commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.runtime import dask_executor
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.fleet import Fleet
from schemas.errors import InputError
from schemas.recipe import Cluster, Placement
from tests.faults.dask_support import (
    ROOT,
    Told,
    assert_gone,
    begun,
    content,
    held_task,
    let_go,
    outcome_of,
    perform_or_hold,
    task,
    until,
)

pytest.importorskip("dask_jobqueue")
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

SBATCH = """#!/bin/sh
# Runs the job at once, in a session of its own.
job=$(mktemp "$SLURM_FOLDER/job-XXXXXX")
cp "$1" "$job"
setsid sh "$job" >"$job.log" 2>&1 &
echo $! >>"$SLURM_FOLDER/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -TERM -- "-$1"
"""
FULL = """#!/bin/sh
echo "sbatch: error: invalid partition specified: nowhere" >&2
exit 1
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the commands first on the path; the file `jobs` lists what was started."""
    commands = tmp_path / "slurm"
    commands.mkdir()
    script(commands / "sbatch", SBATCH)
    script(commands / "scancel", SCANCEL)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_FOLDER", str(commands))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return commands


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def placement(folder: Path, workers: int = 2, **options: Any) -> Placement:
    usual = {
        "cores": 2,
        "processes": 1,
        "memory": "1GB",
        "interface": "lo",
        "local_directory": str(folder),
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
    }
    return Placement(workers=workers, cluster=Cluster(kind="slurm", options={**usual, **options}))


def jobs(slurm: Path) -> list[psutil.Process]:
    leaders = [psutil.Process(int(pid)) for pid in (slurm / "jobs").read_text().split()]
    return [*leaders, *(child for leader in leaders for child in leader.children(recursive=True))]


def test_jobs_are_submitted_used_and_cancelled(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_executor, "perform_on_worker", perform_or_hold)
    told: Told = []
    executor = open_executor(placement(tmp_path), Fleet(lanes={"": 2}), content, told.append)
    try:
        executor.submit(task(tmp_path))
        assert outcome_of(executor).error is None, "though no worker was there when it began"
        until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 2})
        executor.submit(held_task(tmp_path, 1))
        psutil.Process(begun(executor, tmp_path, 1)).kill()
        assert outcome_of(executor).died
        until(lambda: executor.wait(0.05) is None and executor.workers() == {"": 2})
        running = jobs(slurm)
        assert len((slurm / "jobs").read_text().split()) == 2
    finally:
        let_go(tmp_path, 1)
        executor.close()
    assert_gone(running)
    assert not [message for message in told if "warning" in message]


def test_a_queue_that_has_no_room_yet_is_waited_for(
    slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(slurm / "sbatch", "#!/bin/sh\necho Submitted batch job 999999\n")
    script(slurm / "scancel", "#!/bin/sh\n")
    monkeypatch.setattr(dask_executor, "_PATIENCE_S", 0.05)
    told: Told = []
    executor = open_executor(placement(tmp_path), Fleet(), content, told.append)
    try:
        executor.submit(task(tmp_path))
        for _ in range(4):
            assert executor.wait(0.05) is None
        assert executor.workers() == {}
    finally:
        executor.close()
    (warning,) = [message["warning"] for message in told]
    assert "slurm" in warning


def test_a_job_that_is_not_taken_is_told_with_the_reason(
    slurm: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script(slurm / "sbatch", FULL)
    with pytest.raises(InputError, match="`slurm` cannot be started") as refused:
        open_executor(placement(tmp_path), Fleet(), content, print)
    assert "invalid partition specified: nowhere" in str(refused.value)
    assert "Traceback" not in capfd.readouterr().err


def test_a_machine_without_the_commands_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"`slurm` cannot be started: .*sbatch"):
        open_executor(placement(tmp_path), Fleet(), content, print)
    assert "Traceback" not in capfd.readouterr().err


# The object that Dask left half made complains that it was not closed.
@pytest.mark.filterwarnings("ignore:unclosed cluster:ResourceWarning")
def test_a_wrong_option_is_told_in_the_words_of_the_class(slurm: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`slurm` cannot be started: .*unexpected keyword.*coers"):
        open_executor(placement(tmp_path, coers=2), Fleet(), content, print)


def test_ctrl_c_stays_ours(tmp_path: Path) -> None:
    # In a process of its own: here the package was imported long ago.
    code = (
        "import signal\n"
        "from pipeline.runtime.deploy import _find\n"
        "ours = lambda number, frame: None\n"
        "signal.signal(signal.SIGINT, ours)\n"
        "_find('slurm')\n"
        "assert signal.getsignal(signal.SIGINT) is ours\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
