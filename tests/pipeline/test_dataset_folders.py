"""Runs into a folder that holds a dataset already, one that people had their hands in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.dataset.read import open_dataset

RECIPE = """
name: mine
seed: 3
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 12}
  - {stage: respond, model: policy, n: 3}
  - {stage: judge, model: policy}
  - {stage: pair}
export: [{config: dpo}, {config: kto}]
splits: {validation: 0.3}
placement: {workers: 0}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "mine.yaml").write_text(RECIPE)
    assert run(folder) == 0
    return folder


@pytest.fixture
def place(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "place"))


def run(place: Path, *options: str) -> int:
    recipe, out = str(place / "mine.yaml"), str(place / "out")
    return main(["run", recipe, "--out", out, "--quiet", *options])


def files(place: Path) -> dict[str, bytes]:
    folder = place / "out" / "dataset"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def edit(place: Path, old: str, new: str) -> None:
    card = place / "out" / "dataset" / "README.md"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))


def test_what_a_person_wrote_into_the_card_stays_and_is_said(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(place, "pretty_name: mine", "license: cc0-1.0\npretty_name: Mine")
    edit(place, "\n## How to load it", "\n## How we load it")
    edit(place, "\n<!-- prefmill:making", "\nAsk us.\n\n<!-- prefmill:making")
    assert run(place, "--set", "stages.magpie.rows=10") == 0
    card = (place / "out" / "dataset" / "README.md").read_text()
    assert "pretty_name: Mine" in card and "\nAsk us.\n" in card and "How we load it" in card
    assert "| magpie | magpie | 10 | 10 | none |" in card
    said = capsys.readouterr().out
    assert "`pretty_name`, section `loading` changed by hand" in said and "licence" not in said
    assert main(["check", str(place / "out")]) == 0
    capsys.readouterr()
    assert run(place, "--json") == 0
    assert "Ask us." in (place / "out" / "dataset" / "README.md").read_text()
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert "changed by hand" in note


def test_that_no_licence_is_stated_is_said_at_the_end(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place) == 0
    assert "README.md: no licence is stated" in capsys.readouterr().out


def test_a_card_with_broken_yaml_is_an_error_before_anything_is_done(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(place, "pretty_name: mine", "pretty_name: [mine")
    before = files(place)
    assert run(place, "--set", "stages.magpie.rows=10") == 2
    assert "dataset/README.md:3: the YAML" in capsys.readouterr().err
    assert files(place) == before
    assert len(list((place / "out" / "work").glob("00-*"))) == 1, "nothing was generated"


def foreign(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def hidden(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main")


def longer(folder: Path) -> None:
    with (folder / "dpo" / "train-00000-of-00001.parquet").open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (foreign, "notes.txt is not of prefmill"),
        (hidden, ".git/HEAD is not of prefmill"),
        (longer, "dpo/train-00000-of-00001.parquet is of another size"),
    ],
)
def test_nothing_that_was_changed_by_hand_is_written_over(
    place: Path,
    change: Callable[[Path], None],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(place / "out" / "dataset")
    before = files(place)
    assert run(place, "--set", "stages.magpie.rows=10") == 2
    assert said in capsys.readouterr().err
    assert files(place) == before
    shutil.rmtree(place / "out" / "dataset")
    assert run(place) == 0
    assert main(["check", str(place / "out")]) == 0


def test_a_shard_that_is_missing_is_written_anew(place: Path) -> None:
    before = files(place)
    (place / "out" / "dataset" / "dpo" / "train-00000-of-00001.parquet").unlink()
    assert run(place) == 0
    assert files(place) == before


def test_what_a_stopped_swap_put_aside_can_be_read_and_comes_back(place: Path) -> None:
    before, out = files(place), place / "out"
    (out / "dataset").rename(out / ".dataset.old")
    assert open_dataset(out).splits("dpo")["train"] > 0
    assert run(place) == 0
    assert files(place) == before
    assert not (out / ".dataset.old").exists()


def test_every_config_and_split_is_loaded_by_datasets(place: Path) -> None:
    from datasets import Dataset, get_dataset_config_names, load_dataset, load_dataset_builder

    folder = str(place / "out" / "dataset")
    dataset = open_dataset(place / "out")
    assert get_dataset_config_names(folder) == list(dataset.configs)
    for config in dataset.configs:
        stated = load_dataset_builder(folder, config, cache_dir=str(place / "cache")).info
        loaded = load_dataset(folder, config, cache_dir=str(place / "cache"))
        assert {name: split.num_rows for name, split in loaded.items()} == dataset.splits(config)
        for split, rows in loaded.items():
            assert stated.splits[split].num_examples == rows.num_rows
            shards = [str(path) for path in dataset.shards(config, split)]
            plain = Dataset.from_parquet(shards, cache_dir=str(place / "plain"))
            assert stated.features == rows.features == plain.features
            written = [row for table in dataset.tables(config, split) for row in table.to_pylist()]
            assert rows.to_list() == written
