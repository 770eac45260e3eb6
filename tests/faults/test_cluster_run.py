"""Whole runs on a cluster that others started: separate processes, as on separate machines."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.dask_support import ROOT, Cluster, cluster, until
from tests.faults.processes import family_of, finish, n_parts, running, said, wait_for_parts

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RECIPE = """
name: cluster
seed: 3
models:
  policy: {engine: scripted, model: script.yaml}
stages:
  - {stage: magpie, model: policy, rows: 60}
  - {stage: respond, model: policy, n: 3}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
export: [{config: dpo, layout: trl}, {config: kto, layout: trl}]
placement: {workers: 2, part_rows: 4}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path) as started:
        yield started


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "script.yaml").write_text("pace: {tokens_per_s: 5000, max_num_seqs: 16}")
    path = tmp_path / "cluster.yaml"
    path.write_text(RECIPE)
    return path


def test_a_run_on_a_running_cluster_is_killed_resumed_and_ends_in_the_same_bytes(
    recipe: Path, tmp_path: Path, site: Cluster
) -> None:
    expected = finish(recipe, tmp_path / "local")
    nannies = [site.add_worker("--nthreads", "2") for _ in range(2)]
    out, there = tmp_path / "out", ("--scheduler", site.address)
    with running(recipe, out, *there) as process:
        wait_for_parts(out, 4, process)
        worker = worker_of(nannies[0])  # one that is not ours
        worker.suspend()
        wait_for_standstill(out)  # the other one has done all that this one was not given
        worker.kill()
        until(lambda: "its worker process died" in said(out))
        assert process.poll() is None
        assert family_of(process) == [], "nothing is started here"
        process.kill()
    assert finish(recipe, out, *there) == expected
    assert all(nanny.is_running() for nanny in nannies), "the cluster is left as it was"


def wait_for_standstill(out: Path) -> None:
    """Until no part was committed for two seconds."""
    last, since = -1, time.monotonic()
    while time.monotonic() < since + 2:
        if (n := n_parts(out)) != last:
            last, since = n, time.monotonic()
        time.sleep(0.05)


def worker_of(nanny: psutil.Process) -> psutil.Process:
    """The worker below a nanny."""
    found = [c for c in nanny.children() if "resource_tracker" not in " ".join(c.cmdline())]
    return found[0]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("tcp://127.0.0.1:1", "no Dask scheduler can be reached at tcp://127.0.0.1:1"),
        ("127.0.0.1:8786", "placement.scheduler"),
        ("inproc://here", "placement.scheduler"),
    ],
)
def test_a_scheduler_that_is_not_there_is_said(
    recipe: Path, tmp_path: Path, address: str, told: str
) -> None:
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe)]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--scheduler", address],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
