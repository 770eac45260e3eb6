"""What is said of a run that was killed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.in_flight import in_flight_path
from tests.support import run_recipe

RECIPE = """
name: seen
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
placement: {workers: 1, part_rows: 5}
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def status(out: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "pipeline.cli.main", "status", str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_status_knows_a_run_that_goes_on_one_that_was_killed_and_one_that_is_done(
    tmp_path: Path,
) -> None:
    recipe, out = tmp_path / "seen.yaml", tmp_path / "out"
    recipe.write_text(RECIPE)
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(out.glob("work/*/**/*.part")):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            # It stands still, so that it is as far when it is killed as when it is looked at.
            process.send_signal(signal.SIGSTOP)
            going = status(out)
        finally:
            process.kill()
    assert (going["state"], going["resume"]) == ("running", None)
    assert going["holder"].startswith(f"pid {process.pid} on ")
    killed = status(out)
    assert killed["state"] == "killed"
    assert killed["resume"] == f"prefmill run {recipe} --out {out}"
    assert killed["steps"][0]["rows_out"] == going["steps"][0]["rows_out"]

    tasks = {"respond/run/11": 1000}  # as if that part had been in hand
    in_flight_path(out).write_text(json.dumps({"tasks": tasks, "repeated_tokens": 0}))
    assert status(out)["repeated_tokens"] == 1000
    summary, said = run_recipe(recipe, out)
    assert "about 1,000 tokens of the killed run will be sampled again" in said
    assert summary["repeated_tokens"] == 1000
    assert not in_flight_path(out).exists()
    done = status(out)
    assert (done["state"], done["runs"], done["repeated_tokens"]) == ("finished", 2, 1000)
