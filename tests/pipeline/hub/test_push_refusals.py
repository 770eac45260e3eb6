"""What a push refuses: one clear error each, exit code 2, nothing published."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.dataset.read import open_dataset
from tests.hub_server import TOKEN, Hub
from tests.pipeline.hub.conftest import Push
from tests.pipeline.hub.published import held, on_hub, small_dataset

Say = pytest.CaptureFixture[str]


def test_a_wrong_token(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_SomebodyElsesTokenAltogether")
    _, said = push(small_dataset(tmp_path), code=2)
    assert "does not accept the token" in said and "hf auth login" in said
    assert "SomebodyElses" not in said and hub.repos == {}


def test_no_token(hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    _, said = push(small_dataset(tmp_path), code=2)
    assert "no token to publish" in said and "HF_TOKEN" in said
    assert hub.calls == []


def test_a_name_of_somebody_else(hub: Hub, push: Push, tmp_path: Path) -> None:
    _, said = push(small_dataset(tmp_path), "--repo-id", "them/data", code=2)
    assert "the token may not do this" in said and "write to them" in said
    assert hub.repos == {}


NAMES = "data a/b/c me/da~ta me/-data me/data. me/da--ta me/a..b me/dätä me/data.git me/ me/data@v1"


@pytest.mark.parametrize("name", [*NAMES.split(), "me/da ta", "../data", "me/" + "x" * 97])
def test_a_name_that_no_hub_takes(hub: Hub, push: Push, tmp_path: Path, name: str) -> None:
    _, said = push(small_dataset(tmp_path), "--repo-id", name, code=2)
    assert repr(name) in said and "a hub takes org/name" in said
    assert hub.calls == []


@pytest.mark.parametrize("option", ["--tag", "--revision"])
@pytest.mark.parametrize("name", ["a b", "-x", "a..b", "a/", "a.lock", "ä"])
def test_a_name_that_git_does_not_take(
    hub: Hub, push: Push, tmp_path: Path, option: str, name: str
) -> None:
    _, said = push(small_dataset(tmp_path), f"{option}={name}", code=2)
    assert f"{option} {name!r}" in said and hub.calls == []


def test_a_repo_that_is_not_ours(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    theirs: dict[str, bytes | None] = {f"data/{i}.csv": b"1" for i in range(9)}
    hub.repo("me/data").write(theirs)
    _, said = push(dataset, code=2)
    assert "data/0.csv" in said and "and 4 more" in said and "--adopt" in said
    push(dataset, "--adopt")
    assert held(hub) == {**on_hub(dataset), **theirs}


def test_a_repo_with_only_a_card_is_free(hub: Hub, push: Push, tmp_path: Path) -> None:
    hub.repo("me/data").write({"README.md": b"---\nlicense: mit\n---\n\nOurs, by hand.\n"})
    push(small_dataset(tmp_path, license=None))
    card = held(hub)["README.md"].decode()
    assert "license: mit" in card and "Ours, by hand." in card and "dpo/train-*" in card


def test_a_public_repo_does_not_get_what_is_to_be_private(
    hub: Hub, push: Push, tmp_path: Path
) -> None:
    hub.repo("me/data")
    _, said = push(small_dataset(tmp_path), "--private", code=2)
    assert "is public" in said and held(hub) == {}


def test_a_repo_that_ignores_our_files(hub: Hub, push: Push, tmp_path: Path) -> None:
    hub.repo("me/data").write({".gitignore": b"*.json\n"})
    _, said = push(small_dataset(tmp_path), "--adopt", code=2)
    assert ".gitignore leaves out manifest.json" in said
    assert held(hub) == {".gitignore": b"*.json\n"}


def test_a_missing_licence(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path, license=None)
    _, said = push(dataset, code=2)
    assert "no licence is stated" in said and "--no-license" in said
    assert hub.repos == {} and hub.uploads == []
    push(dataset, "--no-license")
    assert held(hub) == on_hub(dataset)


def test_a_folder_that_was_changed_by_hand(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    (shard,) = dataset.shards("dpo", "train")
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    _, said = push(dataset, code=2)
    assert f"{shard}: checksum" in said and hub.calls == []


def test_a_missing_shard(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    (shard,) = dataset.shards("dpo", "validation")
    shard.unlink()
    _, said = push(dataset, code=2)
    assert f"{shard}: missing" in said and hub.calls == []


def test_a_card_with_broken_yaml(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    push(dataset)
    hub.repo("me/data").write({"README.md": b"---\nlicense: [mit\n---\n"})
    _, said = push(small_dataset(tmp_path / "two", range(50), release=2), code=2)
    assert "me/data/README.md:" in said and "Traceback" not in said
    (dataset.path / "README.md").write_text("---\nlicense: [mit\n---\n")
    hub.calls.clear()
    _, said = push(dataset, code=2)
    assert "README.md" in said and hub.calls == []


def test_a_dataset_without_a_row(hub: Hub, push: Push, tmp_path: Path) -> None:
    _, said = push(small_dataset(tmp_path, []), code=2)
    assert "no rows" in said and hub.calls == []


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: Say) -> None:
    assert main(["push", str(tmp_path), "--repo-id", "me/data"]) == 2
    assert "neither a run nor a dataset" in capsys.readouterr().err


def test_one_place_and_no_more(tmp_path: Path, capsys: Say) -> None:
    for options in ([], ["s3://b/x", "--repo-id", "me/data"]):
        assert main(["push", str(tmp_path), *options]) == 2
        assert "say where to publish" in capsys.readouterr().err


def test_options_that_exclude_each_other(hub: Hub, push: Push, tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    _, said = push(dataset, "--create-pr", "--tag", "v1", code=2)
    assert "--tag and --create-pr" in said
    _, said = push(dataset, "memory://x", "--tag", "v1", "--private", code=2)
    assert "--private, --tag" in said and hub.calls == []


def test_a_hub_that_cannot_be_reached(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    from pipeline.hub import patience

    monkeypatch.setattr(patience, "MAX_TRIES", 2)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    _, said = push(small_dataset(tmp_path), code=2)
    assert "http://127.0.0.1:9 cannot be reached" in said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    _, said = push(open_dataset(tmp_path), code=2)
    assert "HF_HUB_OFFLINE is set" in said


def test_the_token_is_seen_nowhere(
    hub: Hub, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    dataset = small_dataset(tmp_path)
    said = push(dataset)[1]
    hub.fail(next="info", status=400)
    said += push(dataset, code=2)[1]
    for bad in (f"{TOKEN}\x01", f"{TOKEN}ä"):  # no header can hold these
        monkeypatch.setenv("HF_TOKEN", bad)
        assert main(["push", str(dataset.path), "--repo-id", "me/data", "--debug"]) == 2
        said += "".join(capsys.readouterr())
    assert TOKEN not in said
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert written and not any(TOKEN.encode() in path.read_bytes() for path in written)
    kept = b"".join(content for repo in hub.repos.values() for content in repo.files.values())
    assert TOKEN.encode() not in kept and os.environ["HF_TOKEN"]
