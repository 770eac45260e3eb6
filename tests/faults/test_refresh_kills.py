"""A refresh that is killed at any instant leaves a whole release, and the next one goes on."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.processes import assert_gone, dataset_files, family_of
from tests.pipeline.release.nights import Nights

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

Files = dict[str, bytes]


@contextmanager
def refreshing(nights: Nights) -> Iterator[subprocess.Popen[bytes]]:
    """A refresh as a process of its own, gone when the block ends; its errors go to a file."""
    command = [sys.executable, "-m", "pipeline.cli.main", "refresh", str(nights.recipe)]
    with (
        (nights.folder / "stderr").open("ab") as errors,
        subprocess.Popen(
            [*command, "--into", str(nights.home)], stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def finish(nights: Nights) -> Files:
    with refreshing(nights) as process:
        code = process.wait(timeout=200)
    said = (nights.folder / "stderr").read_text()
    assert code == 0, said
    assert "Traceback" not in said
    return dataset_files(nights.home)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """A dataset with one release, and more prompts than that has."""
    nights = Nights(tmp_path_factory.mktemp("first"))
    nights.replace("{workers: 0, part_rows: 4}", "{workers: 1, part_rows: 2}")
    nights.prompts(range(10))
    finish(nights)
    nights.prompts(range(40))
    return nights


def copied(first: Nights, folder: Path) -> Nights:
    shutil.copytree(first.folder, folder)
    (folder / "stderr").unlink()
    nights = Nights(folder)
    shutil.copyfile(first.recipe, nights.recipe)
    return nights


@pytest.fixture(scope="module")
def undisturbed(first: Nights, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return finish(copied(first, tmp_path_factory.mktemp("undisturbed") / "nights"))


@pytest.mark.parametrize("seed", range(3))
def test_a_refresh_killed_at_random_instants_leaves_a_whole_release_and_ends_the_same(
    first: Nights, undisturbed: Files, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    nights = copied(first, tmp_path / "nights")
    old = dataset_files(nights.home)
    assert old != undisturbed
    for _ in range(4):
        with refreshing(nights) as process:
            time.sleep(dice.uniform(0.3, 6))  # a point in time is what is tried here
            family = family_of(process)
            process.kill()
        assert_gone(family)
        assert dataset_files(nights.home) in (old, undisturbed)
    assert finish(nights) == undisturbed


@pytest.mark.parametrize("seed", range(3))
def test_a_refresh_killed_while_it_publishes(
    first: Nights, undisturbed: Files, tmp_path: Path, seed: int
) -> None:
    """From when the dataset that is to be published is there, to some milliseconds later."""
    dice = random.Random(seed)
    nights = copied(first, tmp_path / "nights")
    old = dataset_files(nights.home)
    candidate = nights.home / "releases" / "0002" / "dataset" / "manifest.json"
    with refreshing(nights) as process:
        while not candidate.exists():
            assert process.poll() is None or dataset_files(nights.home) == undisturbed
            if process.poll() is not None:
                break
        time.sleep(dice.uniform(0, 0.02))  # a point in time is what is tried here
        family = family_of(process)
        process.kill()
    assert_gone(family)
    assert dataset_files(nights.home) in (old, undisturbed)
    assert finish(nights) == undisturbed


def test_a_second_refresh_is_refused_with_the_first_ones_process(
    first: Nights, tmp_path: Path
) -> None:
    nights = copied(first, tmp_path / "nights")
    with refreshing(nights) as process:
        while not (nights.home / "releases" / "0002").exists():
            assert process.poll() is None
            time.sleep(0.01)
        command = [sys.executable, "-m", "pipeline.cli.main", "refresh", str(nights.recipe)]
        second = subprocess.run(
            [*command, "--into", str(nights.home)], capture_output=True, text=True, check=False
        )
        assert second.returncode == 2
        assert f"another run is working here (pid {process.pid} on" in second.stderr
        assert process.wait(timeout=200) == 0
