from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.dataset import swap as swapping
from pipeline.dataset.swap import exchange, restore, swap


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "file").write_text(text)
    return path


def contents(parent: Path) -> dict[str, str]:
    return {path.name: (path / "file").read_text() for path in parent.iterdir()}


@pytest.mark.parametrize("can_exchange", [True, False])
def test_the_fresh_folder_stands_where_the_old_one_was(
    tmp_path: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(swapping, "exchange", lambda first, second: False)
    target = tmp_path / "dataset"
    swap(folder(tmp_path / ".dataset.new", "one"), target)
    assert contents(tmp_path) == {"dataset": "one"}
    swap(folder(tmp_path / ".dataset.new", "two"), target)
    assert contents(tmp_path) == {"dataset": "two"}


def test_two_folders_change_places_in_one_step(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", "1"), folder(tmp_path / "two", "2")
    if not exchange(one, two):
        pytest.skip("this system cannot exchange two folders")
    assert contents(tmp_path) == {"one": "2", "two": "1"}
    assert not exchange(one, tmp_path / "three")
    assert contents(tmp_path) == {"one": "2", "two": "1"}


def test_a_stop_between_the_steps_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder(tmp_path / "dataset", "old")
    rename = Path.rename

    def stopped(path: Path, to: Path) -> Path:
        if path.name == ".dataset.new":
            raise KeyboardInterrupt
        return rename(path, to)

    monkeypatch.setattr(swapping, "exchange", lambda first, second: False)
    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        swap(folder(tmp_path / ".dataset.new", "new"), target)
    assert not target.exists()
    restore(target)
    assert contents(tmp_path) == {"dataset": "old", ".dataset.new": "new"}


def test_there_is_nothing_to_restore_beside_a_dataset(tmp_path: Path) -> None:
    folder(tmp_path / "dataset", "new")
    folder(tmp_path / ".dataset.old", "old")
    restore(tmp_path / "dataset")
    assert contents(tmp_path)["dataset"] == "new"
