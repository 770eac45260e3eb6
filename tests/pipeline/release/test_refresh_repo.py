"""`prefmill refresh` into a repo of a hub on loopback, and to a URL: all it needs is there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.hub.contents import Source
from pipeline.hub.places import open_place
from pipeline.hub.store import Store
from tests.hub_server import TOKEN, Hub
from tests.pipeline.hub.published import held
from tests.pipeline.release.nights import RECIPE, Nights, prompt, requests

LICENSED = RECIPE + "card: {license: cc0-1.0}\n"


@pytest.fixture
def nights(
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Nights:
    """Prompts, and an empty repo."""
    hub.use(monkeypatch, tmp_path / "hub")
    hub.repo("me/data")
    nights = Nights(tmp_path, capsys, into="me/data")
    nights.write(LICENSED)
    nights.prompts(range(6))
    return nights


def another_machine(nights: Nights) -> None:
    """Nothing is left but the recipe."""
    shutil.rmtree(nights.home)
    shutil.rmtree(nights.folder / "hub", ignore_errors=True)


def test_a_machine_that_has_nothing_but_the_repo_goes_on(hub: Hub, nights: Nights) -> None:
    first = nights.told()
    assert (first["release"], first["place"]) == (1, "me/data@v1")
    another_machine(nights)
    nights.prompts(range(9))
    second = nights.told()
    assert (second["place"], second["added"]["dpo"]) == ("me/data@v2", 3)
    assert requests(second, "respond") == requests(first, "respond") // 2
    repo = hub.repo("me/data")
    assert repo.tags["v2"] == repo.head.id != repo.tags["v1"]
    assert len(repo.log()) == 3
    assert held(hub) == nights.files()
    assert sorted(nights.asked()) == sorted(map(prompt, range(9)))
    assert hub.unknown == []


def test_with_nothing_new_there_is_no_commit(hub: Hub, nights: Nights) -> None:
    nights.told()
    head = hub.repo("me/data").head
    another_machine(nights)
    told = nights.told()
    assert (told["release"], told["published"], told["place"]) == (1, False, None)
    assert hub.repo("me/data").head is head


def test_a_repo_ends_as_a_folder_does(hub: Hub, nights: Nights, tmp_path: Path) -> None:
    beside = Nights(tmp_path / "beside")
    beside.write(LICENSED)
    for total in (6, 9):
        for each in (nights, beside):
            each.prompts(range(total))
            assert each.refresh() == 0
    assert held(hub) == beside.files()


def test_a_failed_gate_leaves_the_repo_and_its_tags(hub: Hub, nights: Nights) -> None:
    nights.told()
    repo = hub.repo("me/data")
    head, tags = repo.head, dict(repo.tags)
    nights.prompts(range(8))
    nights.write(LICENSED + "gates: {min_rows: 1000}\n")
    assert "min_rows" in nights.refused(3)
    assert repo.head is head and repo.tags == tags


def test_a_commit_of_somebody_else_meanwhile_is_not_overwritten(hub: Hub, nights: Nights) -> None:
    nights.told()
    repo = hub.repo("me/data")
    nights.prompts(range(8))
    hub.fail(next="preupload", before=lambda: repo.write({"notes.md": b"theirs"}))
    said = nights.refused(2)
    assert "somebody else committed meanwhile" in said
    assert repo.log()[0] != "nightly: release 2, 56 rows" and "v2" not in repo.tags
    assert "notes.md" in repo.files
    told = nights.told()
    assert (told["release"], told["added"]["dpo"]) == (2, 2)
    assert all(line["reused"] for line in told["run"]["steps"])
    assert "notes.md" in repo.files


def test_of_two_machines_at_once_the_second_is_refused_and_goes_on_from_the_first(
    hub: Hub, nights: Nights, tmp_path: Path
) -> None:
    nights.told()
    other = Nights(tmp_path / "other", nights.capsys, into="me/data")
    other.write(LICENSED)
    other.prompts([*range(6), 20])
    nights.prompts(range(8))
    hub.fail(next="preupload", before=lambda: told.append(other.refresh()))
    told: list[Any] = []
    assert "somebody else committed meanwhile" in nights.refused(2)
    assert told == [0]
    assert hub.repo("me/data").tags.keys() == {"v1", "v2"}
    assert nights.told()["release"] == 3
    assert sorted(nights.asked()) == sorted(map(prompt, (*range(8), 20)))


def test_a_tag_that_was_not_made_any_more_is_made_by_the_next(hub: Hub, nights: Nights) -> None:
    nights.told()
    del hub.repo("me/data").tags["v1"]
    assert not nights.told()["published"]
    assert hub.repo("me/data").tags == {"v1": hub.repo("me/data").head.id}


def test_no_push_makes_the_release_and_publishes_nothing(hub: Hub, nights: Nights) -> None:
    head = hub.repo("me/data").head
    told = nights.told("--no-push")
    assert (told["release"], told["published"]) == (1, False)
    assert hub.repo("me/data").head is head
    assert (nights.home / "releases" / "0001" / "dataset" / "manifest.json").is_file()
    assert all(line["reused"] for line in nights.told()["run"]["steps"])
    assert "v1" in hub.repo("me/data").tags


def test_what_would_be_refused_in_the_end_is_refused_at_once(hub: Hub, nights: Nights) -> None:
    nights.write(RECIPE)
    assert "no licence is stated" in nights.refused(2)
    assert "commit" not in hub.calls
    assert nights.told("--no-license")["release"] == 1
    nights.into = "me/none"
    assert "no such dataset repo" in nights.refused(2)
    hub.repo("me/theirs").write({"data.csv": b"1,2"})
    nights.into = "me/theirs"
    assert "me/theirs holds data.csv" in nights.refused(2)


def test_without_a_token_it_is_said_at_once(
    hub: Hub, nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "HF_TOKEN" in nights.refused(2)


def test_the_token_is_nowhere(nights: Nights) -> None:
    nights.told()
    for path in nights.home.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


def test_a_url_is_refreshed_alike(nights: Nights, tmp_path: Path) -> None:
    nights.into = "memory://refresh-test/data"
    nights.told()
    shutil.rmtree(nights.home)
    nights.prompts(range(9))
    told = nights.told()
    assert (told["release"], told["added"]["dpo"]) == (2, 3)
    there = open_place(nights.into)
    assert there.release == 2
    assert (there.path / "manifest.json").read_bytes() == nights.files()["manifest.json"]


class Cut(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("at", ["dpo/", "manifest.json"])
def test_a_refresh_that_was_killed_while_it_wrote_to_a_url_is_finished(
    nights: Nights, at: str
) -> None:
    nights.into = f"memory://refresh-cut/{at.strip('/.')}"
    nights.told()
    nights.prompts(range(9))
    put = Store.put

    def cut(store: Store, name: str, source: Source) -> None:
        if name.startswith(at):
            raise Cut
        put(store, name, source)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Store, "put", cut)
        nights.refresh()
    moved = nights.home.rename(nights.folder / "moved")
    assert "is under way, or was cut short" in nights.refused(2)
    shutil.rmtree(nights.home)
    moved.rename(nights.home)
    assert nights.told()["release"] == 2
    there = open_place(nights.into)
    assert (there.release, sum(there.splits("dpo").values())) == (2, 9)


def test_a_folder_keeps_its_work_itself(nights: Nights, tmp_path: Path) -> None:
    nights.into = str(tmp_path / "folder")
    assert "--out is for repos and URLs" in nights.refused(2)
