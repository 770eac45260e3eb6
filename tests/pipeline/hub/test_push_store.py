"""`prefmill push` to a folder, and to a URL: an object store in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from pipeline.cli.main import main
from pipeline.dataset.check import check_dataset
from pipeline.dataset.read import open_dataset
from pipeline.hub.store import Store
from pipeline.hub.to_store import UNFINISHED
from schemas.errors import InputError
from tests.pipeline.hub.published import command, on_hub, small_dataset

Say = pytest.CaptureFixture[str]


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "published") if request.param == "folder" else "memory://bucket/data"
    fsspec.filesystem("memory").store.clear()


def held(place: str) -> dict[str, bytes]:
    store = Store(place)
    return {name: store.read(name) for name in store.sizes()}


def test_publish_again_and_the_next_release(place: str, tmp_path: Path, capsys: Say) -> None:
    first = small_dataset(tmp_path / "one")
    assert main(command(first, place)) == 0
    assert held(place) == on_hub(first)
    assert "published" in capsys.readouterr().out
    assert main(command(first, place)) == 0
    assert "nothing to do" in capsys.readouterr().out
    second = small_dataset(tmp_path / "two", [0], release=2)
    assert main(command(second, place, "--dry-run")) == 0
    assert held(place) == on_hub(first)
    said = capsys.readouterr().out
    assert "delete" in said and "dpo/validation-00000-of-00001.parquet" in said
    assert main(command(second, place)) == 0
    assert held(place) == on_hub(second)
    assert main(command(first, place)) == 2
    assert "holds release 2 and this dataset is release 1" in capsys.readouterr().err


def test_what_others_put_there_is_refused_or_stays(place: str, tmp_path: Path, capsys: Say) -> None:
    dataset = small_dataset(tmp_path)
    Store(place).put("notes/a.txt", b"theirs")
    assert main(command(dataset, place)) == 2
    assert "notes/a.txt" in capsys.readouterr().err
    assert main(command(dataset, place, "--adopt")) == 0
    assert held(place) == {**on_hub(dataset), "notes/a.txt": b"theirs"}


@pytest.mark.parametrize("last", range(1, 9))
def test_a_push_that_breaks_off_anywhere_is_made_good_by_the_next(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    first = small_dataset(tmp_path / "one")
    second = small_dataset(tmp_path / "two", [0, 1, 2], release=2)
    assert main(command(first, place)) == 0
    put, delete, done = Store.put, Store.delete, []

    def step(act: object, *args: object) -> None:
        done.append(args)
        if len(done) > last:
            raise InputError("broken off")
        act(*args)  # type: ignore[operator]  # put or delete

    with monkeypatch.context() as broken:
        broken.setattr(Store, "put", lambda *args: step(put, *args))
        broken.setattr(Store, "delete", lambda *args: step(delete, *args))
        code = main(command(second, place))
    there = held(place)
    named = json.loads(there["manifest.json"])["files"]
    assert named.keys() <= there.keys(), "a manifest never names what is not there"
    assert (UNFINISHED in there) == (code != 0)
    assert main(command(second, place)) == 0
    assert held(place) == on_hub(second)
    assert main(command(second, place)) == 0


def test_a_first_push_that_broke_off_is_known_as_ours(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = small_dataset(tmp_path)
    put = Store.put

    def no_manifest(store: Store, name: str, source: bytes) -> None:
        if name == "manifest.json":
            raise InputError("broken off")
        put(store, name, source)

    with monkeypatch.context() as broken:
        broken.setattr(Store, "put", no_manifest)
        assert main(command(dataset, place)) == 2
    assert main(command(dataset, place)) == 0
    assert held(place) == on_hub(dataset)


def test_a_published_folder_is_a_dataset(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    assert main(command(dataset, str(tmp_path / "published"))) == 0
    assert check_dataset(open_dataset(tmp_path / "published")) == []


def test_places_that_cannot_be_used(tmp_path: Path, capsys: Say) -> None:
    dataset = small_dataset(tmp_path)
    (tmp_path / "file").write_text("x")
    assert main(command(dataset, str(tmp_path / "file"))) == 2
    assert "is a file; a folder is needed" in capsys.readouterr().err
    assert main(command(dataset, "nowhere://ada:secret@host/x")) == 2
    said = capsys.readouterr().err
    assert "nowhere://host/x" in said and "secret" not in said
