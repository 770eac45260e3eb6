"""Measures: what is counted is what is there."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.measures import Measure, binned, last_texts, measures_of, text_lengths
from pipeline.report.rows import RowSet

TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SOME = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


@given(SOME, SOME, st.booleans())
def test_every_value_is_in_a_bin(one: list[float], two: list[float], is_tailed: bool) -> None:
    series = {"one": np.asarray(one), "two": np.asarray(two)}
    edges, counts = binned(Measure("t", "u", series, is_tailed))
    assert {name: sum(found) for name, found in counts.items()} == {
        "one": len(one),
        "two": len(two),
    }
    assert edges == sorted(edges)
    assert all(len(found) == len(edges) - 1 for found in counts.values())


@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), min_size=1, max_size=8))
def test_lengths_are_of_the_last_turn_in_characters(rows: list[list[str]]) -> None:
    column = pa.chunked_array(
        [pa.array([turns(*row)], TURNS) for row in rows] + [pa.array([], TURNS)]
    )
    assert last_texts(column).to_pylist() == [row[-1] for row in rows]
    assert last_texts(column.slice(1)).to_pylist() == [row[-1] for row in rows[1:]]
    assert text_lengths(column).tolist() == [len(row[-1]) for row in rows]


def row_set(kind: str, table: pa.Table) -> RowSet:
    def read(_split: str, names: object) -> list[pa.Table]:
        return [table if names is None else table.select(names)]

    return RowSet("c", kind, {"train": len(table)}, frozenset(table.column_names), read)


def test_pairs_without_scores_have_lengths_alone() -> None:
    table = pa.table(
        {
            "chosen": pa.array([turns("four"), turns("fives")], TURNS),
            "rejected": pa.array([turns("one"), turns("")], TURNS),
            "margin": pa.array([None, None], pa.float64()),
            "score_chosen": pa.array([None, None], pa.float64()),
            "score_rejected": pa.array([None, None], pa.float64()),
        }
    )
    found = {one.title: one for one in measures_of(row_set("pair", table))}
    assert set(found) == {"Lengths of answers", "Chosen is longer by"}
    assert found["Chosen is longer by"].series["chosen minus rejected"].tolist() == [1, 5]


def test_answers_are_told_apart_by_their_label() -> None:
    table = pa.table(
        {
            "completion": pa.array([turns("a"), turns("bb"), turns("ccc")], TURNS),
            "label": [True, False, True],
            "score": pa.array([1.0, None, 3.0]),
        }
    )
    found = {one.title: one for one in measures_of(row_set("answer", table))}
    assert set(found) == {"Lengths"}
    assert found["Lengths"].series["desirable"].tolist() == [1, 3]
    assert found["Lengths"].series["undesirable"].tolist() == [2]


def test_values_that_are_no_numbers_are_left_out() -> None:
    table = pa.table(
        {
            "completions": [["a", "bb"], ["ccc", "d"]],
            "scores": [[3.0, 1.0], [float("inf"), float("nan")]],
        }
    )
    found = {one.title: one for one in measures_of(row_set("ranking", table))}
    assert found["Scores of the best and the worst"].series["best"].tolist() == [3]
    assert sorted(found["Lengths of answers"].series["answer"].tolist()) == [1, 1, 2, 3]
