"""A publication that is cut short anywhere leaves a whole release, and `settle` finishes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset import swap as dataset
from pipeline.dataset.facts import RunFacts
from pipeline.dataset.read import open_dataset
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from pipeline.release.home import current, next_folder, publish, settle
from tests.pipeline.dataset.test_write import NUMBER, table

RUN = RunFacts(name="test", recipe="name: test", versions={})


class Cut(BaseException):
    """Stands for the end of the process."""


def made(home: Path) -> Path:
    """Release 1, and release 2 ready to be published."""
    rows = {"dpo": ConfigRows((NUMBER,), lambda: [table(0, 3)])}
    write_dataset(home, rows, RUN)
    (home / "work").mkdir()
    (home / "work" / "first").touch()
    (home / "run.json").write_text("1")
    out = next_folder(home, 2)
    more = {"dpo": ConfigRows((NUMBER,), lambda: [table(3, 5)])}
    write_dataset(out, more, RUN, Release(last=open_dataset(home), number=2))
    (out / "work").mkdir()
    (out / "work" / "second").touch()
    (out / "run.json").write_text("2")
    (out / "exports").mkdir()
    return home


def state(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def cutting(after: int) -> Callable[[], None]:
    """End at the first change of the file system after so many; returns what ends that."""
    left = [after]

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*args: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise Cut
            left[0] -= 1
            return act(*args, **options)

        return perform

    undo = pytest.MonkeyPatch()
    undo.setattr(Path, "rename", counted(Path.rename))
    undo.setattr(shutil, "rmtree", counted(shutil.rmtree))
    undo.setattr(dataset, "exchange", counted(dataset.exchange))
    return undo.undo


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_publication_cut_short_anywhere_is_finished_or_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(dataset, "exchange", lambda one, other: False)
    old = state(made(tmp_path / "old") / "dataset")
    new_home = made(tmp_path / "new")
    publish(new_home, 2)
    new = state(new_home)
    assert "work/second" in new and "work/first" not in new and new["run.json"] == b"2"
    assert not [name for name in new if name.startswith("releases")]
    for after in range(100):
        home = made(tmp_path / str(after))
        undo = cutting(after)
        try:
            publish(home, 2)
            break
        except Cut:
            pass
        finally:
            undo()
        if can_exchange:
            assert state(home / "dataset") in (old, state(new_home / "dataset"))
        settle(home)
        found = current(home)
        assert found is not None
        if found.release == 1:
            assert state(home / "dataset") == old
            publish(home, 2)
        assert state(home) == new
    assert after > 4
    assert state(home) == new


def test_what_was_begun_for_a_release_that_is_there_is_forgotten(tmp_path: Path) -> None:
    home = made(tmp_path)
    next_folder(home, 1).mkdir()
    settle(home)
    assert not next_folder(home, 1).exists()
    assert next_folder(home, 2).exists()
    assert (home / "run.json").read_text() == "1"


def test_an_empty_folder_has_no_release(tmp_path: Path) -> None:
    settle(tmp_path)
    assert current(tmp_path) is None
