"""Datasets opened wherever they are, and why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from pipeline.dataset.read import DatasetFolder
from pipeline.hub.address import HubPlace, StorePlace, place_of
from pipeline.hub.places import open_place
from schemas.errors import InputError
from tests.hub_server import Hub
from tests.pipeline.hub.conftest import Push
from tests.pipeline.hub.published import command, on_hub, small_dataset


def rows(dataset: DatasetFolder) -> dict[str, list[int]]:
    return {
        split: [n for table in dataset.tables("dpo", split) for n in table["number"].to_pylist()]
        for split in dataset.splits("dpo")
    }


def test_what_a_name_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    assert place_of("runs/mine") == StorePlace("runs/mine")
    assert place_of("./not/there") == StorePlace("not/there")
    assert place_of("/not/there") == StorePlace("/not/there")
    assert place_of("s3://bucket/x/") == StorePlace("s3://bucket/x")
    assert place_of("org/name") == HubPlace("org/name")
    assert place_of("org/name@v2") == HubPlace("org/name", "v2")
    assert place_of("hf://datasets/org/name@refs/pr/1") == HubPlace("org/name", "refs/pr/1")
    for text in ("name", "a/b/c"):
        with pytest.raises(InputError, match="org/name"):
            place_of(text)


def test_a_folder_and_a_run(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    assert open_place(str(dataset.path)) == open_place(str(tmp_path)) == dataset
    with pytest.raises(InputError, match="no such folder"):
        open_place(str(tmp_path / "not"))


def test_any_revision_of_a_hub(hub: Hub, push: Push, tmp_path: Path) -> None:
    first = small_dataset(tmp_path / "one")
    second = small_dataset(tmp_path / "two", range(60), release=2)
    push(first)
    push(second)
    assert rows(open_place("me/data@v1")) == rows(first)
    newest = open_place("me/data")
    assert rows(newest) == rows(second) and newest.release == 2
    assert {path.name for path in newest.path.iterdir()} == {p.name for p in second.path.iterdir()}
    assert open_place(f"me/data@{hub.repo('me/data').head.id}").path == newest.path
    hub.calls.clear()
    open_place("me/data@v1")
    assert hub.calls.count("resolve") <= 1, "what was downloaded is not downloaded again"


def test_without_a_network_the_cache_is_read(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    dataset = small_dataset(tmp_path)
    push(dataset)
    open_place("me/data@v1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert rows(open_place("me/data@v1")) == rows(dataset)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        open_place("me/other")


def test_what_a_hub_does_not_have(hub: Hub, push: Push, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"me/none: .* has no such dataset"):
        open_place("me/none")
    hub.repo("me/foreign").write({"data.csv": b"1"})
    with pytest.raises(InputError, match="prefmill did not write what is there"):
        open_place("me/foreign")
    dataset = small_dataset(tmp_path)
    push(dataset)
    with pytest.raises(InputError, match="me/data@v7: no such revision"):
        open_place("me/data@v7")
    hub.repo("me/data").write({"dpo/train-00000-of-00001.parquet": None})
    with pytest.raises(InputError, match=r"dpo/train-00000-of-00001\.parquet is missing"):
        open_place("me/data")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[DatasetFolder], str]:
    from pipeline.cli.main import main

    monkeypatch.setenv("PREFMILL_CACHE", str(tmp_path / "cache"))
    fsspec.filesystem("memory").store.clear()

    def publish(dataset: DatasetFolder) -> str:
        assert main(command(dataset, "memory://bucket/data")) == 0
        return "memory://bucket/data"

    return publish


def test_a_url(bucket: Callable[[DatasetFolder], str], tmp_path: Path) -> None:
    first = small_dataset(tmp_path / "one")
    url = bucket(first)
    opened = open_place(url)
    assert rows(opened) == rows(first)
    assert open_place(url).path == opened.path
    second = small_dataset(tmp_path / "two", range(60), release=2)
    bucket(second)
    assert rows(open_place(url)) == rows(second)
    assert on_hub(open_place(url)) == on_hub(second)


def test_a_url_that_holds_no_whole_dataset(
    bucket: Callable[[DatasetFolder], str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="memory://bucket/none: prefmill did not write"):
        open_place("memory://bucket/none")
    url = bucket(small_dataset(tmp_path))
    files = fsspec.filesystem("memory")
    files.pipe_file("/bucket/data/dpo/train-00000-of-00001.parquet", b"another")
    with pytest.raises(InputError, match="a push there is under way"):
        open_place(url)
    files.rm_file("/bucket/data/dpo/train-00000-of-00001.parquet")
    with pytest.raises(InputError, match="not there"):
        open_place(url)
    assert not any((tmp_path / "cache" / "datasets").iterdir())
