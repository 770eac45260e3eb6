"""A hub that is busy, breaks, or hangs up: a push waits, goes on, and sends nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.hub import patience
from pipeline.hub.client import HubRepo
from tests.hub_server import Hub
from tests.pipeline.hub.conftest import Push
from tests.pipeline.hub.published import held, on_hub, small_dataset


def assert_published_once(hub: Hub, files: dict[str, bytes]) -> None:
    repo = hub.repo("me/data")
    assert held(hub) == files
    assert repo.log() == ["small: release 1, 80 rows", "initial commit"]
    assert repo.tags == {"v1": repo.head.id}


@pytest.mark.parametrize("call", ["create", "info", "refs", "commit", "tag"])
def test_a_busy_hub_is_asked_again(hub: Hub, push: Push, tmp_path: Path, call: str) -> None:
    dataset = small_dataset(tmp_path)
    hub.fail(next=call, status=429, retry_after=0)
    _, said = push(dataset)
    assert "the hub answers 429 (told to fail with 429); trying again" in said
    assert_published_once(hub, on_hub(dataset))


def test_a_repo_that_somebody_makes_meanwhile_is_taken_as_it_is(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(small_dataset(tmp_path / "one"))
    dataset = small_dataset(tmp_path / "two", range(60), release=2)
    monkeypatch.setattr(HubRepo, "is_private", lambda self: None)  # as before it was made
    push(dataset)
    assert held(hub) == on_hub(dataset)


def test_a_busy_hub_is_left_alone_for_as_long_as_it_asks(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tenacity

    waits: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", waits.append)
    dataset = small_dataset(tmp_path)
    hub.fail(next="commit", status=429, retry_after=900)
    _, said = push(dataset)
    assert waits == [900.0] and "asks to wait 900 s; trying again in 900 s" in said
    assert_published_once(hub, on_hub(dataset))


@pytest.mark.parametrize("status", [500, 503])
def test_a_broken_hub_is_asked_again(hub: Hub, push: Push, tmp_path: Path, status: int) -> None:
    dataset = small_dataset(tmp_path)
    hub.fail(next="commit", times=2, status=status)
    _, said = push(dataset)
    assert said.count(f"the hub answers {status}") == 2
    assert_published_once(hub, on_hub(dataset))


@pytest.mark.parametrize(
    ("call", "how"),
    [
        ("preupload", {"status": 500}),
        ("batch", {"cut": True}),
        ("upload", {"cut": True}),
        ("upload", {"status": 500}),
        ("verify", {"lose": True}),
    ],
)
def test_uploads_go_on_where_they_stopped(
    hub: Hub, push: Push, tmp_path: Path, call: str, how: dict[str, Any]
) -> None:
    dataset = small_dataset(tmp_path)
    hub.fail(next=call, **how)
    push(dataset)
    assert_published_once(hub, on_hub(dataset))
    assert sorted(hub.uploads) == sorted(set(hub.uploads)), "nothing was sent twice"


@pytest.mark.parametrize("call", ["commit", "tag"])
def test_a_lost_answer_leads_to_no_second_commit(
    hub: Hub, push: Push, tmp_path: Path, call: str
) -> None:
    dataset = small_dataset(tmp_path)
    hub.fail(next=call, lose=True)
    push(dataset)
    assert_published_once(hub, on_hub(dataset))


def test_a_lost_answer_leads_to_no_second_pull_request(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    hub.repo("me/data")
    hub.fail(next="commit", lose=True)
    done, _ = push(small_dataset(tmp_path), "--create-pr")
    assert list(hub.repo("me/data").pulls) == ["refs/pr/1"]
    assert done["pull_request"].endswith("/discussions/1")


def test_a_hub_that_stays_broken_is_given_up_with_nothing_published(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "MAX_TRIES", 2)
    dataset = small_dataset(tmp_path)
    hub.fail(next="commit", times=2, status=500)
    _, said = push(dataset, code=2)
    assert "me/data: the hub answers 500" in said and "the same command goes on" in said
    assert held(hub) == {} and hub.repo("me/data").tags == {}
    sent = list(hub.uploads)
    push(dataset)
    assert hub.uploads == sent, "what was sent is not sent again"
    assert_published_once(hub, on_hub(dataset))


def test_a_hub_that_asks_for_hours_is_not_waited_for(hub: Hub, push: Push, tmp_path: Path) -> None:
    hub.fail(next="commit", status=429, retry_after=4000)
    _, said = push(small_dataset(tmp_path), code=2)
    assert "answers 429" in said and "4000 s" in said
    assert held(hub) == {}


def test_what_a_hub_asks_for_is_read_as_seconds_or_as_a_date() -> None:
    assert patience._seconds("17") == 17
    assert patience._seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert patience._seconds("Tue, 01 Jan 2999 00:00:00 GMT") > 1e9
    assert patience._seconds("soon") == patience._seconds("") == 0
