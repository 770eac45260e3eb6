"""Vectors of texts, from a scripted model whose vectors can be worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from schemas.batch import Batch
from schemas.columns import ANSWER, CHOSEN, MESSAGES, REJECTED
from schemas.models import Failure
from schemas.selection import EMBEDDING
from schemas.stage import Need
from stages.embed import STAGE, Config
from tests.stages.scripted_vectors import Model, Result
from tests.support import FakeContext


def embed(model: Model, *texts: str, **settings: Any) -> Batch:
    config = Config(model="m", text=("answer",), **settings)
    rows = [{"row_id": f"{i}", "answer": text} for i, text in enumerate(texts)]
    table = pa.Table.from_pylist(rows, schema=pa.schema({"row_id": "string", "answer": "string"}))
    assert STAGE.run is not None
    return STAGE.run(Batch(table), config, FakeContext({"m": model}))


def test_vectors_are_scaled_to_length_one_or_left_as_they_are() -> None:
    model = Model({"a": [3.0, 4.0], "b": [0.0, 0.5]})
    unit = {row["row_id"]: row["embedding"] for row in embed(model, "a", "b").rows}
    assert unit == {"0": pytest.approx([0.6, 0.8]), "1": [0.0, 1.0]}
    raw = [row["embedding"] for row in embed(model, "a", "b", unit=False).rows]
    assert raw == [[3.0, 4.0], [0.0, 0.5]]


def test_a_unit_vector_is_of_length_one_to_the_last_digit_of_float64() -> None:
    (row,) = embed(Model({"a": [1 / 3, 0.1, 7.7]}), "a").rows
    assert math.fsum(x * x for x in row["embedding"]) == pytest.approx(1, abs=1e-15)


def test_the_named_texts_are_read_and_no_other_column() -> None:
    by_names: dict[tuple[str, ...], tuple[Any, ...]] = {
        ("prompt",): (MESSAGES,),
        ("answer",): (ANSWER,),
        ("prompt", "chosen", "rejected"): (MESSAGES, CHOSEN, REJECTED),
    }
    for names, columns in by_names.items():
        config = Config(model="m", text=names)  # type: ignore[arg-type] # names of texts
        assert STAGE.fit(config).reads == columns
    assert STAGE.needs(config) == (Need("model", "m", frozenset(("embed",))),)


def test_a_pair_has_a_vector_for_its_other_answer_too() -> None:
    batch = embed(Model({"a": [3.0, 4.0]}), "a", column="embedding_rejected")
    vector = pytest.approx([0.6, 0.8])
    other = {"embedding_rejected": vector, "embedding_rejected_n_truncated": 0}
    assert batch.rows == [{"row_id": "0", **other}]
    fitted = STAGE.fit(Config(model="m", column="embedding_rejected"))
    assert {column.name for column in fitted.writes} == set(other)


def test_what_was_cut_off_is_counted_or_turned_away() -> None:
    model = Model({"long text": [1.0]}, cut=5)
    assert [row["embedding_n_truncated"] for row in embed(model, "long text").rows] == [5]
    batch = embed(model, "long text", allow_truncated=False)
    (reject,) = batch.rejects
    assert (len(batch), reject.code, reject.raw) == (0, "truncated", "long text")
    assert reject.message == "2 tokens fit the embedding model's window, 5 more do not"


@pytest.mark.parametrize("blank", ["", " ", "\n\t "])
def test_a_blank_text_is_turned_away_and_not_asked_about(blank: str) -> None:
    model = Model({"a": [1.0]})
    batch = embed(model, blank, "a")
    assert [(reject.row_id, reject.code) for reject in batch.rejects] == [("0", "empty_text")]
    assert [row["row_id"] for row in batch.rows] == ["1"]
    assert model.asked == ["a"]


@pytest.mark.parametrize(
    ("vector", "unit", "code"),
    [
        ([math.nan, 1.0], True, "not_finite"),
        ([math.inf, 1.0], False, "not_finite"),
        ([0.0, 0.0], True, "not_finite"),
        ([0.0, 0.0], False, None),
        (Failure("0", "timeout", "late", "raw answer"), True, "engine_timeout"),
        (Failure("0", "timeout", "late"), True, "engine_timeout"),
    ],
)
def test_vectors_of_no_use(vector: Result, unit: bool, code: str | None) -> None:
    batch = embed(Model({"a": vector, "b": [1.0, 1.0]}), "a", "b", unit=unit)
    assert [reject.code for reject in batch.rejects] == ([code] if code else [])
    assert len(batch) + len(batch.rejects) == 2
    for reject in batch.rejects:
        assert reject.raw == (getattr(vector, "raw", "") or "a")


def test_equal_rows_one_row_and_none() -> None:
    model = Model({"same": [1.0, 1.0]})
    vectors = [row["embedding"] for row in embed(model, "same", "same").rows]
    assert vectors[0] == vectors[1]
    assert len(embed(model, "same")) == 1
    nothing = embed(model)
    assert (len(nothing), nothing.table.schema.field(EMBEDDING.name).type) == (
        0,
        embed(model, "same").table.schema.field(EMBEDDING.name).type,
    )


def test_a_text_of_ten_megabytes() -> None:
    text = "word " * 2_000_000
    assert embed(Model({text: [1.0]}), text).rows[0]["embedding"] == [1.0]
