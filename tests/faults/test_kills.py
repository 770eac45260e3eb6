"""Real processes that really die: nothing is lost, doubled or left behind."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.processes import (
    assert_gone,
    dataset_files,
    family_of,
    finish,
    running,
    said,
    wait_for_parts,
    workers_of,
)

RECIPE = """
name: kills
seed: 3
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 60}
  - {stage: dedup, shingle: character, threshold: 0.6}
  - {stage: respond, model: policy, n: 3}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
  - {stage: zipfit, target: target.jsonl, mode: elimination, keep: 0.8}
export:
  - {config: dpo, layout: trl}
  - {config: kto, layout: trl}
placement: {workers: 2, part_rows: 2}
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

Files = dict[str, bytes]


def written(folder: Path, model: str = "echo") -> Path:
    """The recipe, with a file that it needs beside it."""
    targets = ({"text": f"Which bird counts to {n * n}, and why?"} for n in range(30))
    (folder / "target.jsonl").write_text("\n".join(map(json.dumps, targets)))
    path = folder / "kills.yaml"
    path.write_text(RECIPE.replace("model: echo", f"model: {model}"))
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("undisturbed")
    return finish(written(folder), folder / "out")


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_random_instants_ends_in_the_same_bytes(
    recipe: Path, tmp_path: Path, undisturbed: Files, seed: int
) -> None:
    """Twenty kills over the four seeds, wherever they hit: starting, working, packing, writing."""
    dice = random.Random(seed)
    out = tmp_path / "out"
    for _ in range(5):
        with running(recipe, out) as process:
            time.sleep(dice.uniform(0.3, 3.5))  # a point in time is what is tried here
            family = family_of(process)
            process.kill()
        assert_gone(family)
    assert finish(recipe, out) == undisturbed


@pytest.mark.parametrize("parts", [1, 40, 90])
def test_a_run_killed_in_the_middle_of_the_work_resumes(
    recipe: Path, tmp_path: Path, undisturbed: Files, parts: int
) -> None:
    out = tmp_path / "out"
    with running(recipe, out) as process:
        wait_for_parts(out, parts, process)
        family = family_of(process)
        process.kill()
    assert_gone(family)
    assert finish(recipe, out) == undisturbed


def test_killed_workers_cost_nothing_but_what_they_had_in_hand(
    recipe: Path, tmp_path: Path, undisturbed: Files
) -> None:
    out = tmp_path / "out"
    with running(recipe, out) as process:
        for parts in (2, 60):
            wait_for_parts(out, parts, process)
            workers_of(process)[0].kill()
        assert process.wait(timeout=120) == 0, said(out)
    assert "Traceback" not in said(out)
    assert dataset_files(out) == undisturbed


def test_ctrl_c_finishes_what_is_in_flight_exits_130_and_resumes(
    recipe: Path, tmp_path: Path, undisturbed: Files
) -> None:
    out = tmp_path / "out"
    with running(recipe, out) as process:
        wait_for_parts(out, 3, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130, said(out)
    assert "Traceback" not in said(out)
    assert not (out / "dataset").exists()
    assert finish(recipe, out) == undisturbed


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.8, 1.5])
def test_ctrl_c_at_any_point_ends_in_order(recipe: Path, tmp_path: Path, delay_s: float) -> None:
    """Also while Python and Dask are starting: no traceback, and the run can go on."""
    out = tmp_path / "out"
    with running(recipe, out) as process:
        time.sleep(0.15 + delay_s)  # a point in time is what is tried here
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    if ", in main\n" in said(out) or "Traceback" not in said(out):
        assert code in (130, 0, -signal.SIGINT), said(out)
        assert "Traceback" not in said(out)
    else:  # before main() took over, Python itself ends the process
        assert code in (1, -signal.SIGINT), said(out)
    finish(recipe, out)


def test_ctrl_c_twice_stops_at_once_and_leaves_no_process(tmp_path: Path) -> None:
    """The answers in hand would take a minute."""
    (tmp_path / "slow.yaml").write_text("pace: {tokens_per_s: 1, max_num_seqs: 4}")
    recipe = written(tmp_path, "slow.yaml")
    out = tmp_path / "out"
    with running(recipe, out) as process:
        while not workers_of(process):
            assert process.poll() is None, said(out)
            time.sleep(0.05)
        time.sleep(3)  # until the engine is at work
        family = family_of(process)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=45) == 130, said(out)
    assert_gone(family)
    assert "stopped at once" in said(out)
    assert "Traceback" not in said(out)
