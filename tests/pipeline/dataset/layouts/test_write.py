"""An export is all there or not at all, whatever is wrong with dataset, place or wish."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.dataset import shards
from pipeline.dataset.layouts import write
from pipeline.dataset.layouts.choose import Wish
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.dataset.layouts.write import usual_folder, write_export
from pipeline.dataset.read import DatasetFolder, open_dataset
from schemas.errors import ExportRefused, InputError
from tests.pipeline.dataset.layouts.samples import answer, every_shape, make_dataset, pair, ranking

TRL, LLAMA_FACTORY, RANKING = (LAYOUTS[name] for name in ("trl", "llama_factory", "ranking"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def pairs(tmp_path: Path) -> DatasetFolder:
    return make_dataset(tmp_path / "run", {"dpo": [pair(n) for n in range(10)]})


def test_what_lies_in_the_folder(tmp_path: Path) -> None:
    dataset = every_shape(tmp_path / "run")
    folder = usual_folder(dataset, LLAMA_FACTORY)
    assert folder == tmp_path / "run" / "exports" / "llama_factory"
    write_export(dataset, LLAMA_FACTORY, [Wish()], folder)
    splits = ("train", "validation", "test")
    assert set(contents(folder)) == {
        "export.json",
        "dataset_info.json",
        *(f"{config}/{split}.jsonl" for config in ("dpo", "kto", "sft") for split in splits),
    }
    assert [path.name for path in folder.parent.iterdir()] == ["llama_factory"]


def test_a_dataset_without_a_run(tmp_path: Path) -> None:
    make_dataset(tmp_path, {"dpo": [pair(1)]})
    dataset = open_dataset((tmp_path / "dataset").rename(tmp_path / "fetched"))
    assert usual_folder(dataset, TRL) == tmp_path / "fetched-exports" / "trl"


def test_the_entries_of_llama_factory_name_files_and_columns(tmp_path: Path) -> None:
    dataset = every_shape(tmp_path / "run")
    folder = tmp_path / "export"
    for form in ("conversational", "standard"):
        write_export(dataset, LLAMA_FACTORY, [Wish(form=form)], folder)
        entries = json.loads((folder / "dataset_info.json").read_text())
        assert len(entries) == 9
        for entry in entries.values():
            first = json.loads((folder / entry["file_name"]).read_text("utf-8").splitlines()[0])
            assert set(entry["columns"].values()) == set(first)
    assert entries["dpo_test"] == {
        "file_name": "dpo/test.jsonl",
        "formatting": "alpaca",
        "ranking": True,
        "columns": {
            "prompt": "instruction",
            "query": "input",
            "chosen": "chosen",
            "rejected": "rejected",
            "system": "system",
            "history": "history",
        },
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_rows_give_the_same_bytes(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = every_shape(tmp_path / "run", single_turn=True)
    write_export(dataset, LAYOUTS[layout], [Wish()], tmp_path / "a")
    read = DatasetFolder.tables

    def in_pieces(self: DatasetFolder, *args: object) -> Iterator[object]:
        for table in read(self, *args):  # type: ignore[arg-type]
            for start in range(0, table.num_rows, 3):
                yield table.slice(start, 3)

    monkeypatch.setattr(DatasetFolder, "tables", in_pieces)
    write_export(dataset, LAYOUTS[layout], [Wish()], tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_rows_are_read_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no time is more in memory than the row groups at hand."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 100)
    rows = [pair(n) for n in range(3 * shards.ROW_GROUP_ROWS + 5)]
    dataset = make_dataset(tmp_path / "run", {"dpo": rows})
    assert len(dataset.shards("dpo", "train")) == 4
    read, seen = [0], []
    tables = write._tables

    def counted(*args: object) -> Iterator[object]:
        for table in tables(*args):  # type: ignore[arg-type]
            read[0] += table.num_rows
            yield table

    def written(folder: Path, split: str, groups: Iterator[object]) -> int:
        seen.extend(read[0] for _ in groups)
        return 0

    monkeypatch.setattr(write, "_tables", counted)
    monkeypatch.setattr(write, "_write_lines", written)
    write_export(dataset, LAYOUTS["axolotl"], [Wish()], tmp_path / "export")
    assert seen == [shards.ROW_GROUP_ROWS * n for n in (2, 3)] + [len(rows)] * 2


def test_one_split(tmp_path: Path) -> None:
    dataset = every_shape(tmp_path / "run")
    wish = Wish("dpo", split="test")
    (made,) = write_export(dataset, TRL, [wish], tmp_path / "export")
    assert made.rows == {"test": dataset.splits("dpo")["test"]}
    with pytest.raises(InputError, match="no split `tset`; it has train, validation, test"):
        write_export(dataset, TRL, [Wish("dpo", split="tset")], tmp_path / "export")


def test_a_layout_that_cannot_hold_the_data_says_what_makes_what_it_holds(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "run", {"ranking": [ranking(1)]})
    with pytest.raises(InputError) as error:
        write_export(dataset, TRL, [Wish()], tmp_path / "export")
    text = str(error.value)
    assert "layout `trl` cannot hold `ranking` (rankings); layouts that can: ranking" in text
    assert "holds pairs, made by the step `pair` (`strategy: best_worst`, ...)" in text
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    ("layout", "wish", "said"),
    [
        (RANKING, Wish(), "cannot hold `dpo` (pairs); layouts that can: trl, openrlhf"),
        (TRL, Wish("dop"), "no config `dop` in the dataset; there are dpo"),
        (TRL, Wish(task="kto"), "has no view --task kto of dpo; it has --task dpo --form"),
        (LAYOUTS["sharegpt"], Wish(form="standard"), "has no view --form standard of dpo"),
    ],
)
def test_wishes_that_cannot_be_had(
    layout: object, wish: Wish, said: str, pairs: DatasetFolder, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        write_export(pairs, layout, [wish], tmp_path / "export")  # type: ignore[arg-type]
    assert said in str(error.value)


def test_an_empty_dataset(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "run", {"dpo": []})
    with pytest.raises(InputError, match="has no rows: there is nothing to export"):
        write_export(dataset, TRL, [Wish()], tmp_path / "export")


def test_what_is_not_ours_is_left_alone(pairs: DatasetFolder, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds no export written by prefmill"):
        write_export(pairs, TRL, [Wish()], tmp_path / "export")
    assert (tmp_path / "export" / "thesis.tex").read_text() == "years of work"


def test_the_folder_one_stands_in(
    pairs: DatasetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="is the current folder: name one inside it"):
        write_export(pairs, LLAMA_FACTORY, [Wish()], Path())


def test_a_dataset_that_was_put_aside_is_left_alone(pairs: DatasetFolder, tmp_path: Path) -> None:
    """An export into the run's folder must not take the place of a swap that was stopped."""
    aside = pairs.path.rename(pairs.path.with_name(".dataset.old"))
    dataset = open_dataset(aside.parent)
    assert usual_folder(dataset, TRL) == tmp_path / "run" / "exports" / "trl"
    write_export(dataset, TRL, [Wish()], tmp_path / "run" / "mine")
    assert contents(aside)


def test_a_newer_export_takes_the_place_of_an_older(pairs: DatasetFolder, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write_export(pairs, TRL, [Wish(task="reward")], folder)
    write_export(pairs, LLAMA_FACTORY, [Wish()], folder)
    assert set(contents(folder)) == {"export.json", "dataset_info.json", "dpo/train.jsonl"}


def test_a_refused_row_leaves_the_older_export(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    good = make_dataset(tmp_path / "good", {"dpo": [pair(1)]})
    write_export(good, LAYOUTS["axolotl"], [Wish()], folder)
    before = contents(folder)
    rows = [pair(1), pair(2, chosen=answer(" a")), pair(3)]
    bad = make_dataset(tmp_path / "bad", {"dpo": rows})
    with pytest.raises(ExportRefused, match=f"row {rows[1]['row_id']} of `dpo`"):
        write_export(bad, LAYOUTS["axolotl"], [Wish()], folder)
    assert contents(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad", "export"}


def _cut(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-20])


def _shorten(shard: Path) -> None:
    pq.write_table(pq.read_table(shard).slice(1), shard)


def _drop_column(shard: Path) -> None:
    pq.write_table(pq.read_table(shard).drop_columns(["rejected"]), shard)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "it has 0 rows, not 10"),
        (_cut, "it cannot be read"),
        (_shorten, "it has 9 rows, not 10"),
        (_drop_column, "it has no column rejected"),
    ],
)
def test_a_dataset_changed_by_hand(
    damage: Callable[[Path], None], said: str, pairs: DatasetFolder, tmp_path: Path
) -> None:
    damage(pairs.shards("dpo", "train")[0])
    with pytest.raises(InputError) as error:
        write_export(pairs, TRL, [Wish()], tmp_path / "export")
    assert "split `train` is not as prefmill wrote it" in str(error.value)
    assert said in str(error.value)
    assert not list(tmp_path.glob("*export*"))


@pytest.mark.parametrize("layout", [TRL, LLAMA_FACTORY], ids=lambda layout: layout.name)
def test_a_full_disk(
    layout: object, pairs: DatasetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "export"
    write_export(pairs, TRL, [Wish()], folder)
    before = contents(folder)

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(write, "_write_lines", full)
    monkeypatch.setattr(write, "_write_parquet", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_export(pairs, layout, [Wish()], folder)  # type: ignore[arg-type]
    assert contents(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"run", "export"}
