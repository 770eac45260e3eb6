"""What the files themselves say, and how much of a release is as the last one had it."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset import shards
from pipeline.dataset.shards import row_groups, write_shards
from schemas.arrow import arrow_schema
from schemas.columns import MARGIN, ROW_ID, SOURCE
from schemas.layouts import CHOSEN_TURN, PROMPT

SCHEMA = arrow_schema((ROW_ID, PROMPT, CHOSEN_TURN, MARGIN, SOURCE))
_WORDS = random.Random(5)
VOCABULARY = ["".join(_WORDS.choices("abcdefghijklmnopqrst", k=6)) for _ in range(3000)]


def text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(VOCABULARY, k=words))


def row(number: int, words: int = 150) -> dict[str, Any]:
    draw = random.Random(number)
    return {
        "row_id": f"{draw.getrandbits(128):032x}",
        "prompt": [{"role": "user", "content": text(draw, 30)}],
        "chosen": [{"role": "assistant", "content": text(draw, words)}],
        "margin": draw.random(),
        "source": "magpie",
    }


def write(folder: Path, rows: list[dict[str, Any]]) -> list[Path]:
    folder.mkdir()
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return write_shards(folder, "train", SCHEMA, row_groups([table], SCHEMA))


def test_footers_have_what_the_hub_asks_for(tmp_path: Path) -> None:
    (path,) = write(tmp_path / "a", [row(number, 10) for number in range(9000)])
    footer = pq.read_metadata(path)
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    assert [group.num_rows for group in groups] == [4096, 4096, 808]
    for group in groups:
        for column in (group.column(i) for i in range(group.num_columns)):
            assert column.compression == "ZSTD"
            assert column.has_offset_index and column.has_column_index
    schema = footer.schema.to_arrow_schema()
    assert schema.equals(SCHEMA)


def test_no_row_group_is_larger_than_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "GROUP_BYTES", 100_000)
    rows = [row(number, 10) for number in range(300)]
    rows[200:210] = [row(number, 5000) for number in range(200, 210)]
    rows[220] = row(220, 50_000)  # larger than a row group by itself
    (path,) = write(tmp_path / "a", rows)
    with pq.ParquetFile(path) as file:
        groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
    assert [r for group in groups for r in group.to_pylist()] == rows
    assert all(group.nbytes < 110_000 or group.num_rows == 1 for group in groups)
    sizes = [group.num_rows for group in groups]
    assert all(size & (size - 1) == 0 for size in sizes[:-1]) and 1 in sizes


@given(st.lists(st.integers(0, 40), max_size=12), st.lists(st.integers(0, 12), max_size=6))
def test_large_rows_are_cut_the_same_however_they_come(sizes: list[int], cuts: list[int]) -> None:
    table = pa.table(
        {"text": ["x" * 100 * size for size in sizes]}, pa.schema([("text", "string")])
    )
    bounds = [0, *sorted(min(cut, len(sizes)) for cut in cuts), len(sizes)]
    parts = [table.slice(start, end - start) for start, end in pairwise(bounds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "GROUP_BYTES", 1000)
        whole = list(row_groups([table], table.schema, 8))
        assert list(row_groups(parts, table.schema, 8)) == whole
    assert pa.concat_tables(whole).equals(table)
    assert all(group.num_rows for group in whole) or not sizes


def kept_share(old: bytes, new: bytes, size: int = 4096) -> float:
    """Share of the stretches of `old` that stand in `new`, at whatever place."""
    blocks = [old[start : start + size] for start in range(0, len(old) - size, size)]
    return sum(block in new for block in blocks) / len(blocks)


def test_a_release_with_more_rows_has_most_of_the_last_one_byte_for_byte(tmp_path: Path) -> None:
    rows = [row(number) for number in range(5000)]
    (old,) = write(tmp_path / "old", rows[:4800])
    (new,) = write(tmp_path / "new", rows)
    assert kept_share(old.read_bytes(), new.read_bytes()) > 0.9


def test_chunks_defined_by_content_survive_a_row_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(number) for number in range(4000)]
    shares = []
    for name, since in (("on", shards._CHUNKING_SINCE), ("off", 10**6)):
        monkeypatch.setattr(shards, "_CHUNKING_SINCE", since)
        (old,) = write(tmp_path / f"{name}-old", rows)
        (new,) = write(tmp_path / f"{name}-new", rows[:100] + rows[101:])
        shares.append(kept_share(old.read_bytes(), new.read_bytes()))
    chunked, plain = shares
    assert chunked > 0.4 and plain < 0.1
