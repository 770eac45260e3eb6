"""Pages, searches and rows of a dataset, held against its rows in plain Python."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.browse import index
from pipeline.browse.desk import Desk
from pipeline.dataset import shards
from schemas.errors import InputError
from schemas.recipe import Splits
from tests.pipeline.browse.made import (
    HOSTILE,
    answer_row,
    assistant,
    make_dataset,
    pair_row,
    ranking_row,
    text_row,
    user,
)

PAIRS = [pair_row(n, margin=None if n % 7 == 3 else float(n * 37 % 50)) for n in range(60)]
ALL = {
    "dpo": PAIRS,
    "kto": [answer_row(n) for n in range(10)],
    "ranking": [ranking_row(n) for n in range(3)],
    "sft": [text_row(n) for n in range(2)],
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    patch = pytest.MonkeyPatch()
    patch.setattr(shards, "ROW_GROUP_ROWS", 7)
    patch.setattr(shards, "SHARD_BYTES", 6000)
    patch.setattr(shards.row_groups, "__defaults__", (7,))
    out = tmp_path_factory.mktemp("out")
    folder = make_dataset(out, ALL, Splits(validation=0.2))
    patch.undo()
    files = list((folder / "dpo").glob("train-*"))
    assert len(files) > 1, "the rows shall lie in several files and row groups"
    assert pq.ParquetFile(files[0]).num_row_groups > 1
    desk = Desk(out, seed=5)
    yield desk
    desk.close()


def wait_for(answer: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + 30
    while not fits(found := answer()):
        assert time.monotonic() < until, found
    return found


def searched(desk: Desk, asked: dict[str, str]) -> Any:
    return wait_for(lambda: desk.rows(asked), lambda answer: answer["isDone"])


def ids(desk: Desk, **asked: str) -> list[str]:
    """All rows that are asked for, page by page."""
    found: list[str] = []
    while True:
        page = searched(desk, {**asked, "offset": str(len(found)), "limit": "9"})
        assert page["rows"] or len(found) == page["total"]
        if not page["rows"]:
            return found
        found += [row["id"] for row in page["rows"]]


def test_every_row_is_there_once_and_in_order(desk: Desk) -> None:
    found = ids(desk)
    assert len(found) == desk.n_rows == 75
    assert len(set(found)) == 75
    train = [row["id"] for row in desk.rows({"config": "dpo", "split": "train"})["rows"]]
    assert train == sorted(train)


def test_facets_count_the_rows(desk: Desk) -> None:
    start = desk.start()
    assert start["configs"] == [
        {"name": "dpo", "rows": 60},
        {"name": "kto", "rows": 10},
        {"name": "ranking", "rows": 3},
        {"name": "sft", "rows": 2},
    ]
    assert {one["name"] for one in start["splits"]} == {"train", "validation"}
    assert sum(one["rows"] for one in start["sources"]) == 75
    assert start["title"] == "made"


numbers = st.none() | st.floats(-5, 60)


@given(
    low=numbers,
    high=numbers,
    score=numbers,
    source=st.sampled_from(["", "source 0", "source 1", "nowhere"]),
    order=st.sampled_from(["", "margin", "-margin", "score", "-score"]),
)
def test_filters_and_orders_are_those_of_plain_python(
    desk: Desk, low: float | None, high: float | None, score: float | None, source: str, order: str
) -> None:
    def fits(row: dict[str, Any]) -> bool:
        margin = row["margin"]
        if (low is not None or high is not None) and margin is None:
            return False
        return (
            (low is None or margin >= low)
            and (high is None or margin <= high)
            and (score is None or row["score_chosen"] >= score)
            and source in ("", row["source"])
        )

    asked = {"config": "dpo", "source": source, "order": order}
    bounds = {"minMargin": low, "maxMargin": high, "minScore": score}
    asked |= {name: repr(value) for name, value in bounds.items() if value is not None}
    rows = {row["row_id"]: row for row in PAIRS if fits(row)}
    found = ids(desk, **asked)
    assert set(found) == set(rows)
    if order:
        name = order.removeprefix("-").replace("score", "score_chosen")
        values = [rows[one][name] for one in found]
        there = [value for value in values if value is not None]
        assert values == there + [None] * (len(values) - len(there))
        assert there == sorted(there, reverse=order.startswith("-"))


def test_shuffled_is_another_order_of_the_same_rows(desk: Desk) -> None:
    plain, shuffled = ids(desk, config="dpo"), ids(desk, config="dpo", order="shuffled")
    assert shuffled != plain
    assert sorted(shuffled) == sorted(plain)
    assert shuffled == ids(desk, config="dpo", order="shuffled")


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("GRINDS WHEAT 17", 1),
        ("how does a mill", 60),
        ("middle", 3),
        ("A text", 2),
        (f"{5:032x}", 1),
        ("no such words", 0),
        (".*", 0),
        ("%", 0),
    ],
)
def test_a_text_is_found_in_all_texts(desk: Desk, text: str, n: int) -> None:
    assert len(ids(desk, text=text)) == n


def test_a_text_is_found_among_the_rows_that_fit(desk: Desk) -> None:
    found = ids(desk, text="mill", config="dpo", source="source 1", order="-score")
    assert found == [row["row_id"] for row in reversed(PAIRS) if row["source"] == "source 1"]


def test_a_row_in_full_is_the_row(desk: Desk) -> None:
    for config, rows in ALL.items():
        for row in rows:
            record = desk.row(config, row["row_id"])["record"]
            assert (record["id"], record["config"]) == (row["row_id"], config)
            if config == "dpo":
                assert record["chosen"] == row["chosen"][0]["content"]
                assert record["margin"] == row["margin"]


def test_answers_are_forgotten_before_they_fill_the_memory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_KEPT_PLACES", 100)
    for score in [*range(1, 9)] * 2:  # scores are 1 to 60
        found = desk.rows({"config": "dpo", "minScore": str(score)})
        assert found["total"] == 61 - score
        assert sum(map(len, desk._index._kept.values())) <= 100


def test_where_a_row_stands(desk: Desk) -> None:
    asked = {"config": "dpo", "order": "-score"}
    for place, row_id in enumerate(ids(desk, **asked)):
        assert desk.offset("dpo", row_id, asked)["offset"] == place
    assert desk.offset("kto", answer_row(0)["row_id"], asked)["offset"] == -1
    assert desk.offset("dpo", "gone", asked)["offset"] == -1


def test_what_is_not_there_is_said(desk: Desk) -> None:
    with pytest.raises(InputError, match="there is no row 'x' in config 'dpo'"):
        desk.row("dpo", "x")
    with pytest.raises(InputError, match="this view is for reading"):
        desk.mark({"config": "dpo", "id": "x", "verdict": "good"})
    assert desk.rows({"source": "' OR 1=1 --"})["total"] == 0


def test_hostile_texts_come_through_as_they_are(tmp_path: Path) -> None:
    row = pair_row(1, prompt=user(HOSTILE), chosen=assistant(HOSTILE + "1"), source=HOSTILE)
    make_dataset(tmp_path, {"dpo": [row]})
    desk = Desk(tmp_path)
    try:
        assert desk.row("dpo", row["row_id"])["record"]["chosen"] == HOSTILE + "1"
        assert desk.rows({"source": HOSTILE})["total"] == 1
        assert searched(desk, {"text": HOSTILE})["total"] == 1
    finally:
        desk.close()


def test_a_dataset_that_is_replaced_meanwhile(tmp_path: Path) -> None:
    make_dataset(tmp_path, {"dpo": [pair_row(n) for n in range(3)]})
    desk = Desk(tmp_path)
    try:
        first = desk.rows({})
        make_dataset(tmp_path, {"dpo": [pair_row(n) for n in range(2, 7)]})
        second = desk.rows({})
        assert (first["edition"], first["total"]) == (1, 3)
        assert (second["edition"], second["total"]) == (2, 5)
        assert desk.row("dpo", pair_row(6)["row_id"])["record"]["margin"] == 6.0
        shutil.rmtree(tmp_path / "dataset")
        with pytest.raises(InputError, match=r"neither a run nor a dataset"):
            desk.rows({})
    finally:
        desk.close()


@pytest.mark.parametrize("name", ["a[1]", "*", "what?", "it's", 'a "b"', "**", "[!a]", "ü ö"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    make_dataset(tmp_path / name, {"dpo": [pair_row(1)]})
    desk = Desk(tmp_path / name)
    assert desk.rows({})["total"] == 1
    desk.close()


def test_what_cannot_be_seen_is_refused(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path, {"dpo": [pair_row(1)]})
    (shard,) = (folder / "dpo").glob("*.parquet")
    shard.write_bytes(b"no Parquet at all")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        Desk(tmp_path)
    shutil.rmtree(folder)
    make_dataset(tmp_path, {"dpo": []})
    with pytest.raises(InputError, match="nothing to see"):
        Desk(tmp_path)
