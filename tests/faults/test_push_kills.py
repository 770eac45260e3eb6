"""A push that is killed, two at once, and an object store: all with real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.hub.store import Store
from tests.faults.dask_support import until
from tests.hub_server import TOKEN, Hub
from tests.pipeline.hub.published import command, held, on_hub, small_dataset

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PREFMILL = [sys.executable, "-m", "pipeline.cli.main"]

READ = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
found = {}
for revision in ("main", sys.argv[2]):
    for config in get_dataset_config_names(sys.argv[1], revision=revision):
        for split, rows in load_dataset(sys.argv[1], config, revision=revision).items():
            found[f"{revision} {config} {split}"] = rows.to_list()
print(json.dumps(found))
"""


def run(command: list[str], hub: Hub, home: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=hub.env(home), capture_output=True, text=True, check=False)
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_a_push_killed_between_upload_and_commit_goes_on(hub: Hub, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    hub.fail(next="commit", hold=True)
    push = [*PREFMILL, *command(dataset)]
    with subprocess.Popen(push, env=hub.env(tmp_path / "home"), stderr=subprocess.PIPE) as process:
        until(lambda: "commit" in hub.calls)
        process.kill()
    hub.release()
    assert held(hub) == {} and hub.repo("me/data").tags == {}
    sent = sorted(hub.uploads)
    done = run(push, hub, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert held(hub) == on_hub(dataset)
    assert sorted(hub.uploads) == sent, "what was sent is not sent again"
    assert hub.repo("me/data").tags == {"v1": hub.repo("me/data").head.id}


def test_two_processes_push_at_once(hub: Hub, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    both = [
        subprocess.Popen(
            [*PREFMILL, *command(dataset)],
            env=hub.env(tmp_path / "home"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    repo = hub.repo("me/data")
    assert repo.log() == ["small: release 1, 80 rows", "initial commit"]
    assert held(hub) == on_hub(dataset) and repo.tags == {"v1": repo.head.id}


def test_datasets_reads_the_same_rows_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    first = small_dataset(tmp_path / "one")
    second = small_dataset(tmp_path / "two", range(60), release=2)
    for dataset in (first, second):
        done = run([*PREFMILL, *command(dataset, "--private")], hub, tmp_path / "home")
        assert done.returncode == 0, done.stderr
    read = run([sys.executable, "-c", READ, "me/data", "v1"], hub, tmp_path / "home")
    assert read.returncode == 0, read.stderr
    expected = {
        f"{revision} {config} {split}": [
            row for table in dataset.tables(config, split) for row in table.to_pylist()
        ]
        for revision, dataset in (("main", second), ("v1", first))
        for config in dataset.configs
        for split in dataset.splits(config)
    }
    assert json.loads(read.stdout) == expected and len(expected) == 8


def test_an_object_store_gets_the_same_files(bucket: str, tmp_path: Path) -> None:
    url = f"s3://{bucket}/data"
    first = small_dataset(tmp_path / "one")
    second = small_dataset(tmp_path / "two", [0], release=2)
    for dataset in (first, second):
        subprocess.run([*PREFMILL, *command(dataset, url)], check=True)
        read = [sys.executable, "-c", OPEN, url]
        assert subprocess.run(read, check=True, capture_output=True, text=True).stdout == "ok\n"
    store = Store(url)
    assert {name: store.read(name) for name in store.sizes()} == on_hub(second)
    again = subprocess.run([*PREFMILL, *command(second, url)], capture_output=True, text=True)
    assert "nothing to do" in again.stdout
    missing = subprocess.run(
        [*PREFMILL, *command(second, "s3://no-such-bucket/x")], capture_output=True, text=True
    )
    assert missing.returncode == 2 and "s3://no-such-bucket/x" in missing.stderr


OPEN = """
import sys
from pipeline.dataset.check import check_dataset
from pipeline.hub.places import open_place
assert check_dataset(open_place(sys.argv[1])) == []
print("ok")
"""
