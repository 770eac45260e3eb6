"""A disk that is full, and files that change behind our back."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.dataset.read import open_dataset
from tests.faults.processes import dataset_files, errors_of, finish, said

RECIPE = """
name: disk
seed: 3
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 200}
  - {stage: respond, model: policy, n: 8}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
export: [{config: dpo, layout: trl}]
placement: {workers: 1, part_rows: 10}
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "disk.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, which takes a right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    yield folder
    # Python's resource tracker inherits the standard error that is kept there, and ends by itself
    # when it sees that the run has: a moment later.
    for _ in range(50):
        if (
            subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode
            == 0
        ):
            return
        time.sleep(0.1)
    pytest.fail("something of a run that is over still has files open there")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_is_one_clear_error_and_room_is_all_it_takes_to_go_on(
    recipe: Path, tmp_path: Path, small_disk: Path, workers: int
) -> None:
    out, option = small_disk / "out", f"placement.workers={workers}"
    expected = finish(recipe, tmp_path / "large", "--set", option)
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--set", option]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr
    assert "free some space and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "dataset").exists()
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    errors_of(out).unlink(missing_ok=True)
    assert finish(recipe, out, "--set", option) == expected


def test_a_full_disk_during_an_export(recipe: Path, tmp_path: Path, small_disk: Path) -> None:
    out, place = tmp_path / "out", small_disk / "export"
    finish(recipe, out)
    command = [sys.executable, "-m", "pipeline.cli.main", "export", str(out), "--out", str(place)]
    small = subprocess.run([*command, "--layout", "openrlhf"], check=True, capture_output=True)
    assert small.returncode == 0
    before = {path: path.read_bytes() for path in place.rglob("*.jsonl")}
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    done = subprocess.run(
        [*command, "--layout", "ms_swift"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "No space left on device. Nothing half-written is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in small_disk.iterdir()} == {"export", "filler"}
    assert before == {path: path.read_bytes() for path in place.rglob("*.jsonl")}


def test_a_disk_that_fills_up_with_the_dataset_leaves_the_one_before(
    recipe: Path, tmp_path: Path, small_disk: Path
) -> None:
    out, work = small_disk / "out", f"placement.work={tmp_path / 'work'}"
    fast = ("--set", "placement.workers=0", "--set", "placement.part_rows=200", "--set", work)
    few, many = (
        (*fast, "--set", "stages.magpie.rows=30"),
        (*fast, "--set", "stages.magpie.rows=600"),
    )
    finish(recipe, out, *few)
    with small_disk.joinpath("filler").open("wb") as filler:
        filler.write(bytes(shutil.disk_usage(small_disk).free - 30_000))
    before = dataset_files(out)
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--out", str(out)]
    done = subprocess.run([*command, *many], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    assert dataset_files(out) == before
    assert not (out / ".dataset.new").exists()
    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    finish(recipe, out, *many)
    assert open_dataset(out).splits("dpo") == {"train": 600}


@pytest.mark.parametrize("damage", ["truncated", "bit flipped"])
def test_a_damaged_part_is_noticed_said_and_made_again(
    recipe: Path, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    expected = finish(recipe, out)
    shutil.rmtree(out / "dataset")
    (packed,) = out.glob("work/01-respond-*/segment-00000.parts")
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 4
    packed.write_bytes(content[: len(content) // 3] if damage == "truncated" else content)
    assert finish(recipe, out) == expected
    assert "respond: " in said(out)
    assert "parts are not as they were written" in said(out)
