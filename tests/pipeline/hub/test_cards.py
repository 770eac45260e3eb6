"""What people write into a published card stays there."""

from __future__ import annotations

from pathlib import Path

from tests.hub_server import Hub
from tests.pipeline.hub.conftest import Push
from tests.pipeline.hub.published import held, on_hub, small_dataset

BY_HAND = "\nAsk Ada before you train on this.\n"


def card(hub: Hub) -> str:
    return held(hub)["README.md"].decode()


def test_a_text_written_into_the_card_there_survives_releases(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    first = small_dataset(tmp_path / "one")
    push(first)
    repo = hub.repo("me/data")
    repo.write({"README.md": (card(hub) + BY_HAND).encode()})
    done, _ = push(first)
    assert not done["changed"] and repo.log()[0] == "by hand"
    second = small_dataset(tmp_path / "two", range(60), release=2)
    push(second)
    counts = [line for line in on_hub(second)["README.md"].splitlines() if b"num_ex" in line]
    assert BY_HAND in card(hub)
    assert [line for line in card(hub).encode().splitlines() if b"num_ex" in line] == counts
    done, _ = push(second)
    assert not done["changed"]


def test_a_text_written_into_the_card_here_is_published(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    dataset = small_dataset(tmp_path)
    push(dataset)
    mine = dataset.path / "README.md"
    mine.write_text(mine.read_text() + BY_HAND)
    done, said = push(dataset)
    assert done["tag"] is None and "the tag v1 stays at" in said
    assert BY_HAND in card(hub)
    assert held(hub) == on_hub(dataset)
    assert hub.repo("me/data").tags["v1"] != hub.repo("me/data").head.id, "the tag stayed"


def test_cards_edited_here_and_there_are_told_of(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    push(dataset)
    hub.repo("me/data").write({"README.md": (card(hub) + BY_HAND).encode()})
    mine = dataset.path / "README.md"
    mine.write_text(mine.read_text() + "\nAnd Bob.\n")
    _, said = push(dataset)
    assert "edited here and there" in said
    assert BY_HAND in card(hub) and "And Bob." not in card(hub)


def test_a_card_there_that_is_no_text_is_left_alone(hub: Hub, push: Push, tmp_path: Path) -> None:
    hub.repo("me/data").write({"README.md": b"caf\xe9"})
    _, said = push(small_dataset(tmp_path), code=2)
    assert "me/data/README.md is not UTF-8" in said
    assert held(hub) == {"README.md": b"caf\xe9"}
