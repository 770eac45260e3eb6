from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset import shards as dataset
from pipeline.dataset.facts import RunFacts
from pipeline.dataset.read import open_dataset
from pipeline.dataset.shards import row_groups
from pipeline.dataset.write import ConfigRows, Release, is_current, write_dataset
from pipeline.files import file_digest, read_json
from schemas.arrow import arrow_schema
from schemas.columns import SOURCE, Column
from schemas.errors import ContractError, InputError
from schemas.layouts import LABEL, ORDER, PROMPT
from schemas.recipe import Splits
from schemas.types import INT

NUMBER = Column("number", INT, "a number")
RUN = RunFacts(name="test", recipe="name: test", versions={"prefmill": "1"})


def table(start: int, stop: int) -> pa.Table:
    rows = range(start, stop)
    return pa.table(
        {
            "row_id": [f"{i:032x}" for i in rows],
            "number": pa.array(list(rows), type=pa.int64()),
            "source": [f"a source of some length {i * 7919 % 1009}" for i in rows],
            "not_wanted": [None] * len(rows),
        }
    )


def write(out: Path, *tables: pa.Table) -> Path:
    return write_dataset(out, {"dpo": ConfigRows((NUMBER, SOURCE), lambda: tables)}, RUN)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_lies_in_the_folder(tmp_path: Path) -> None:
    folder = write(tmp_path, table(0, 3))
    assert folder == tmp_path / "dataset"
    assert set(contents(folder)) == {
        "README.md",
        "manifest.json",
        "dpo/train-00000-of-00001.parquet",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]
    rows = pq.read_table(folder / "dpo" / "train-00000-of-00001.parquet")
    assert rows.column_names == ["row_id", "number", "source"]
    assert rows.column("number").to_pylist() == [0, 1, 2]


def test_the_manifest_can_be_checked_against_the_files(tmp_path: Path) -> None:
    folder = write(tmp_path, table(0, 3))
    manifest = read_json(folder / "manifest.json")
    assert manifest is not None
    columns = ["row_id", "number", "source"]
    assert manifest["configs"] == {"dpo": {"rows": 3, "columns": columns, "splits": {"train": 3}}}
    assert manifest["run"]["recipe"] == "name: test"
    assert set(manifest["files"]) == set(contents(folder)) - {"manifest.json"}
    for name, facts in manifest["files"].items():
        assert facts["bytes"] == (folder / name).stat().st_size
        assert facts["blake2b_128"] == file_digest(folder / name)


def test_compression_and_page_index(tmp_path: Path) -> None:
    path = write(tmp_path, table(0, 3)) / "dpo" / "train-00000-of-00001.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert column.has_offset_index and column.has_column_index


def test_the_same_bytes_however_rows_are_cut(tmp_path: Path) -> None:
    whole = write(tmp_path / "a", table(0, 10_000))
    parts = write(tmp_path / "b", table(0, 1), table(1, 1), table(1, 4500), table(4500, 10_000))
    assert contents(whole) == contents(parts)


def test_shards_are_cut_by_size_and_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "SHARD_BYTES", 1000)
    folder = write(tmp_path, table(0, 10_000)) / "dpo"
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"train-0000{i}-of-00003.parquet" for i in range(3)]
    read = [pq.read_table(folder / name).column("number").to_pylist() for name in names]
    assert [len(numbers) for numbers in read] == [4096, 4096, 1808]
    assert list(chain(*read)) == list(range(10_000))


def test_order_sorts_the_rows_and_is_gone(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "row_id": ["b", "a", "c"],
            "label": [True, False, True],
            "order": pa.array([5, 5, 1], type=pa.int64()),
        }
    )
    folder = write_dataset(tmp_path, {"kto": ConfigRows((LABEL, ORDER), lambda: [rows])}, RUN)
    written = pq.read_table(folder / "kto" / "train-00000-of-00001.parquet")
    assert written.to_pylist() == [
        {"row_id": "c", "label": True},
        {"row_id": "a", "label": False},
        {"row_id": "b", "label": True},
    ]
    assert "2 desirable and 1 undesirable" in (folder / "README.md").read_text()


def test_no_rows_make_an_empty_file(tmp_path: Path) -> None:
    path = write(tmp_path) / "dpo" / "train-00000-of-00001.parquet"
    assert pq.read_table(path).num_rows == 0


def test_an_earlier_dataset_is_replaced_as_a_whole(tmp_path: Path) -> None:
    rows = ConfigRows((NUMBER, SOURCE), lambda: [table(0, 3)])
    folder = write_dataset(tmp_path, {"dpo": rows, "sft": rows}, RUN)
    write(tmp_path, table(0, 2))
    assert set(contents(folder)) == {
        "README.md",
        "manifest.json",
        "dpo/train-00000-of-00001.parquet",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_dataset_is_current_until_its_facts_or_files_change(tmp_path: Path) -> None:
    assert not is_current(tmp_path, RUN)
    folder = write(tmp_path, table(0, 3))
    assert is_current(tmp_path, RUN)
    assert not is_current(tmp_path, replace(RUN, keys={"dpo": "another"}))
    (folder / "README.md").write_text("changed")
    assert not is_current(tmp_path, RUN)
    (folder / "README.md").unlink()
    assert not is_current(tmp_path, RUN)


@pytest.mark.parametrize("name", ["thesis.txt", "manifest.json"])
def test_a_folder_of_someone_elses_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / name).write_text("{}")
    with pytest.raises(InputError, match="left alone"):
        write(tmp_path, table(0, 3))
    assert contents(tmp_path) == {f"dataset/{name}": b"{}"}


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dataset").write_text("mine")
    with pytest.raises(InputError, match="left alone"):
        write(tmp_path, table(0, 3))


def test_a_failure_leaves_the_old_dataset_whole(tmp_path: Path) -> None:
    before = contents(write(tmp_path, table(0, 3)))

    def broken() -> Iterator[pa.Table]:
        yield table(0, 9000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, {"dpo": ConfigRows((NUMBER, SOURCE), broken)}, RUN)
    assert contents(tmp_path / "dataset") == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_null_is_never_written(tmp_path: Path) -> None:
    rows = pa.table({"row_id": ["a"], "number": pa.array([None], type=pa.int64()), "source": ["s"]})
    with pytest.raises(ContractError, match=r"`dpo`.*`number`"):
        write(tmp_path, rows)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.integers(0, 7), max_size=8), st.integers(1, 5))
def test_row_groups_keep_rows_and_order(sizes: list[int], size: int) -> None:
    bounds = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    tables = [table(a, b).select(["number"]) for a, b in pairwise(bounds)]
    groups = list(row_groups(tables, pa.schema([("number", pa.int64())]), size))
    assert [n for group in groups for n in group.column("number").to_pylist()] == list(
        range(sum(sizes))
    )
    assert all(group.num_rows == size for group in groups[:-1])
    assert groups[-1].num_rows <= size


def prompts(start: int, stop: int) -> pa.Table:
    """Two rows to each prompt, one of them under a system prompt."""
    turns = [
        [{"role": "user", "content": f"question {i // 2}"}]
        if i % 2
        else [
            {"role": "system", "content": f"be {i}"},
            {"role": "user", "content": f"question {i // 2} "},
        ]
        for i in range(start, stop)
    ]
    return table(start, stop).append_column(
        "prompt", pa.array(turns, arrow_schema((PROMPT,)).field("prompt").type)
    )


def by_split(folder: Path) -> dict[str, list[str]]:
    data = open_dataset(folder)
    return {
        split: [row for part in data.tables("dpo", split) for row in part["row_id"].to_pylist()]
        for split in data.splits("dpo")
    }


def write_prompts(out: Path, *tables: pa.Table, release: Release) -> dict[str, list[str]]:
    rows = ConfigRows((NUMBER, PROMPT), lambda: tables)
    return by_split(write_dataset(out, {"dpo": rows}, RUN, release))


HELD_OUT = Splits(validation=0.2, test=0.1)


def test_no_prompt_is_in_two_splits_and_none_is_lost(tmp_path: Path) -> None:
    found = write_prompts(tmp_path, prompts(0, 600), release=Release(HELD_OUT))
    assert sorted(row for rows in found.values() for row in rows) == sorted(
        f"{i:032x}" for i in range(600)
    )
    of_prompt = {name: {int(row, 16) // 2 for row in rows} for name, rows in found.items()}
    assert sum(map(len, of_prompt.values())) == 300
    assert 30 < len(of_prompt["validation"]) < 90 and 10 < len(of_prompt["test"]) < 60


def test_a_row_is_in_the_same_split_however_the_rows_come(tmp_path: Path) -> None:
    whole = write_prompts(tmp_path / "a", prompts(0, 60), release=Release(HELD_OUT))
    parts = (prompts(40, 60), prompts(0, 40))
    cut = write_prompts(tmp_path / "b", *parts, release=Release(HELD_OUT))
    assert {name: set(rows) for name, rows in whole.items()} == {
        name: set(rows) for name, rows in cut.items()
    }


def test_a_split_without_a_row_is_not_in_the_dataset(tmp_path: Path) -> None:
    found = write_prompts(tmp_path, prompts(0, 2), release=Release(Splits(test=0.0001)))
    assert list(found) == ["train"]


def test_a_release_has_the_last_ones_rows_first_and_no_row_twice(tmp_path: Path) -> None:
    first = write_prompts(tmp_path / "1", prompts(0, 60), release=Release(HELD_OUT, number=1))
    last = open_dataset(tmp_path / "1")
    second = write_prompts(
        tmp_path / "2", prompts(50, 100), release=Release(HELD_OUT, last=last, number=2)
    )
    for split, rows in first.items():
        assert second[split][: len(rows)] == rows
    assert sorted(row for rows in second.values() for row in rows) == [
        f"{i:032x}" for i in range(100)
    ]
    assert open_dataset(tmp_path / "2").release == 2


def test_a_release_keeps_what_people_wrote_into_the_card_of_the_last(tmp_path: Path) -> None:
    rows = ConfigRows((NUMBER, PROMPT), lambda: [prompts(0, 60)])
    first = write_dataset(tmp_path / "1", {"dpo": rows}, RUN, Release(number=1))
    with (first / "README.md").open("a") as card:
        card.write("\nA word from us.\n")
    last = open_dataset(first)
    more = ConfigRows((NUMBER, PROMPT), lambda: [prompts(60, 100)])
    second = write_dataset(tmp_path / "2", {"dpo": more}, RUN, Release(last=last, number=2))
    text = (second / "README.md").read_text()
    assert "A word from us." in text
    assert "Release 2." in text and "100 rows, 40 more than the release before" in text
