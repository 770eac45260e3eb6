"""Quickstart, as a user runs it: the real model, real vLLM, a real Dask worker."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from schemas.layouts import same_text
from tests.faults.processes import assert_gone, workers_of
from tests.support import QUICKSTART, run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_quickstart_makes_both_datasets(quickstart: tuple[Path, dict[str, Any], str]) -> None:
    out, summary, errors = quickstart
    steps = {step["step"]: step for step in summary["steps"]}
    assert steps["magpie"]["rows_in"] == 48
    assert steps["respond"]["usage"]["sampled_tokens"] > 1000
    assert steps["judge"]["usage"]["requests"] > 0
    assert summary["rows"]["dpo"] >= 8
    assert "tokens/s" in errors, "progress was shown"
    assert "Traceback" not in errors
    assert "WARNING" not in errors
    pairs = pq.read_table(out / "dataset" / "dpo").to_pylist()
    for pair in pairs:
        chosen, rejected = pair["chosen"][0]["content"], pair["rejected"][0]["content"]
        assert pair["prompt"][-1]["role"] == "user"
        assert not same_text(chosen, rejected)
        assert pair["score_chosen"] > pair["score_rejected"]


def test_every_row_is_accounted_for(quickstart: tuple[Path, dict[str, Any], str]) -> None:
    for step in quickstart[1]["steps"]:
        if step["step"] not in ("reward_augment", "export_kto"):  # one pair becomes two rows
            assert step["rows_in"] == step["rows_out"] + step["lost"], step


def test_a_second_run_generates_nothing(quickstart: tuple[Path, dict[str, Any], str]) -> None:
    out, first, _ = quickstart
    again, _ = run_recipe(QUICKSTART, out)
    assert all(step["reused"] for step in again["steps"])
    assert again["rows"] == first["rows"]


def test_a_killed_worker_takes_its_engine_with_it_and_the_run_goes_on_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(QUICKSTART), "--out", str(out)]
    command += ["--limit", "6", "--set", "gates.min_rows=1"]
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stream,
        subprocess.Popen(command, stderr=stream, start_new_session=True) as process,
    ):
        while "tokens/s" not in errors.read_text() and process.poll() is None:
            time.sleep(0.1)  # until the engine in the worker is generating
        worker = workers_of(process)[0]
        belonging = [worker, *worker.children(recursive=True)]
        assert {*belonging} < {*session_of(process.pid)}
        worker.kill()
        assert_gone(belonging)
        assert process.wait(timeout=900) == 0, errors.read_text()
    assert "its worker process died" in errors.read_text()
    assert (out / "dataset" / "dpo").is_dir()
    assert_gone(session_of(process.pid))


def session_of(leader: int) -> list[psutil.Process]:
    """The processes of a session, whoever is their parent by now."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getsid(process.pid) == leader:
                found.append(process)
    return found
