"""`prefmill push` to a hub: one commit and a tag, nothing twice, nobody's work overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub_server import Hub
from tests.pipeline.hub.conftest import Push
from tests.pipeline.hub.published import held, on_hub, small_dataset

WRITING = {"create", "branch", "preupload", "batch", "upload", "commit", "tag"}


def test_a_first_push_makes_the_repo_one_commit_and_a_tag(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    dataset = small_dataset(tmp_path)
    done, said = push(dataset, "--private")
    repo = hub.repo("me/data")
    assert held(hub) == on_hub(dataset)
    assert repo.private
    assert repo.log() == ["small: release 1, 80 rows", "initial commit"]
    assert repo.tags == {"v1": repo.head.id}
    assert (done["revision"], done["tag"], done["changed"]) == (repo.head.id, "v1", True)
    assert "sending 6 files" in said
    assert len(hub.uploads) == 4


def test_the_same_push_again_does_nothing(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    push(dataset)
    before = hub.repo("me/data").head
    hub.calls.clear()
    done, _ = push(dataset)
    assert hub.repo("me/data").head is before
    assert not done["changed"] and done["changes"] == []
    assert not WRITING & set(hub.calls)


def test_the_next_release_replaces_adds_and_deletes_in_one_commit(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    push(small_dataset(tmp_path / "one"))
    hub.repo("me/data").write(
        {
            "LICENSE": b"as you like",
            "dpo/train-00000-of-00009.parquet": b"stale",
            "notes/a.txt": b"a",
        }
    )
    second = small_dataset(tmp_path / "two", range(60), release=2)
    done, _ = push(second, "--message", "more rows")
    repo = hub.repo("me/data")
    assert held(hub) == {**on_hub(second), "LICENSE": b"as you like", "notes/a.txt": b"a"}
    assert repo.log()[0] == "more rows" and len(repo.log()) == 4
    assert repo.tags["v2"] == repo.head.id != repo.tags["v1"]
    actions = {each["path"]: each["action"] for each in done["changes"]}
    assert actions["dpo/train-00000-of-00009.parquet"] == "delete"
    assert actions["dpo/train-00000-of-00001.parquet"] == "replace"


def test_a_split_that_is_gone_is_deleted(hub: Hub, push: Push, tmp_path: Path) -> None:
    push(small_dataset(tmp_path / "one"))
    second = small_dataset(tmp_path / "two", [0], release=2)
    assert second.splits("dpo") == {"train": 1}
    push(second)
    assert held(hub) == on_hub(second)


def test_a_folder_of_the_same_name_is_not_meant(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me" / "data").mkdir(parents=True)
    dataset = small_dataset(tmp_path)
    push(dataset)
    assert held(hub) == on_hub(dataset) and not any((tmp_path / "me" / "data").iterdir())


def test_the_token_of_the_hubs_own_login_will_do(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(f"{hub.token}\n")
    dataset = small_dataset(tmp_path)
    _, said = push(dataset)
    assert held(hub) == on_hub(dataset) and hub.token not in said


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    dataset = small_dataset(tmp_path)
    done, said = push(dataset, "--dry-run")
    assert "would be made" in said and done["changed"]
    assert {each["action"] for each in done["changes"]} == {"add"}
    sizes = {path: len(content) for path, content in on_hub(dataset).items()}
    assert {each["path"]: each["bytes"] for each in done["changes"]} == sizes
    assert hub.repos == {} and not WRITING & set(hub.calls)
    push(dataset)
    hub.calls.clear()
    done, _ = push(small_dataset(tmp_path / "two", range(50), release=2), "--dry-run")
    assert done["changed"] and done["revision"] is None
    assert not WRITING & set(hub.calls)


def test_a_missing_tag_is_made_and_nothing_else(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    push(dataset)
    repo = hub.repo("me/data")
    repo.tags.clear()
    done, _ = push(dataset)
    assert repo.tags == {"v1": repo.head.id} and len(repo.log()) == 2
    assert done["changed"] and done["changes"] == []


def test_a_tag_is_never_moved(hub: Hub, push: Push, tmp_path: Path) -> None:
    push(small_dataset(tmp_path / "one"))
    repo = hub.repo("me/data")
    before = repo.head
    other = small_dataset(tmp_path / "two", range(50))
    _, said = push(other, code=2)
    assert "tag v1 is at" in said and "never moved" in said
    assert repo.head is before and repo.tags == {"v1": before.id}
    push(other, "--tag", "v1.1")
    assert repo.tags == {"v1": before.id, "v1.1": repo.head.id}
    assert held(hub) == on_hub(other)


def test_a_tag_put_elsewhere_meanwhile_is_told(hub: Hub, push: Push, tmp_path: Path) -> None:
    repo = hub.repo("me/data")
    first = repo.head.id
    hub.fail(next="tag", before=lambda: repo.tags.update(v1=first))
    _, said = push(small_dataset(tmp_path), code=2)
    assert "the tag v1 is at" in said and repo.tags == {"v1": first}


def test_a_pull_request_leaves_the_branch_alone_and_is_made_once(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    dataset = small_dataset(tmp_path)
    repo = hub.repo("me/data")
    done, _ = push(dataset, "--create-pr")
    assert repo.log() == ["initial commit"] and repo.tags == {}
    assert done["pull_request"] == f"{hub.url}/datasets/me/data/discussions/1"
    again, _ = push(dataset, "--create-pr")
    assert not again["changed"] and again["pull_request"] == done["pull_request"]
    assert list(repo.pulls) == ["refs/pr/1"]
    repo.branches["main"] = repo.pulls["refs/pr/1"]
    merged, _ = push(dataset)
    assert merged["changes"] == [] and repo.tags == {"v1": repo.head.id}


def test_a_branch_is_made_and_gets_no_tag_unasked(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    repo = hub.repo("me/data")
    push(dataset, "--revision", "trial/one")
    assert repo.log() == ["initial commit"] and repo.tags == {}
    assert "README.md" in repo.commits[repo.branches["trial/one"]].files
    push(dataset, "--revision", "trial/one", "--tag", "tried")
    assert repo.tags == {"tried": repo.branches["trial/one"]}
    _, said = push(dataset, "--revision", "tried", code=2)
    assert "is a tag" in said


def test_what_others_commit_meanwhile_stays(hub: Hub, push: Push, tmp_path: Path) -> None:
    push(small_dataset(tmp_path / "one"))
    repo = hub.repo("me/data")
    hub.fail(next="commit", before=lambda: repo.write({"LICENSE": b"theirs"}))
    dataset = small_dataset(tmp_path / "two", range(60), release=2)
    _, said = push(dataset)
    assert "somebody else committed" in said
    assert held(hub) == {**on_hub(dataset), "LICENSE": b"theirs"}
    assert repo.log()[:2] == ["small: release 2, 120 rows", "by hand"]


def test_two_pushes_of_the_same_at_once_make_one_commit(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    from pipeline.hub.push import PushOptions, push_dataset

    dataset = small_dataset(tmp_path)
    hub.repo("me/data")
    hub.fail(
        next="commit",
        before=lambda: push_dataset(dataset, "me/data", PushOptions(), lambda line: None),
    )
    done, _ = push(dataset)
    repo = hub.repo("me/data")
    assert repo.log() == ["small: release 1, 80 rows", "initial commit"]
    assert repo.tags == {"v1": repo.head.id} and done["revision"] == repo.head.id
    assert len(hub.uploads) == 4, "what one sent the other did not send again"


def test_the_same_release_of_somebody_else_is_left_alone(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    push(small_dataset(tmp_path / "one"))
    rival = small_dataset(tmp_path / "theirs", range(70), release=2)
    repo = hub.repo("me/data")
    hub.fail(next="commit", before=lambda: repo.write(dict(on_hub(rival))))
    _, said = push(small_dataset(tmp_path / "ours", range(60), release=2), code=2)
    assert "published release 2 meanwhile" in said
    assert held(hub) == on_hub(rival)


def test_a_newer_release_is_left_alone(hub: Hub, push: Push, tmp_path: Path) -> None:
    newer = small_dataset(tmp_path / "new", range(70), release=3)
    push(newer)
    _, said = push(small_dataset(tmp_path / "old", release=2), code=2)
    assert "holds release 3 and this dataset is release 2" in said
    assert held(hub) == on_hub(newer)


def test_a_repo_that_never_rests_is_given_up(hub: Hub, push: Push, tmp_path: Path) -> None:
    repo = hub.repo("me/data")
    hub.fail(next="commit", times=99, before=lambda: repo.write({"a.txt": b"again"}))
    _, said = push(small_dataset(tmp_path), "--adopt", code=2)
    assert "others committed 5 times" in said
    assert set(held(hub)) == {"a.txt"}


def test_many_files_go_in_batches(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.hub import client

    monkeypatch.setattr(client, "_BATCH", 4)
    dataset = small_dataset(tmp_path)
    _, said = push(dataset)
    assert "sent 4 of 6 files" in said and held(hub) == on_hub(dataset)
