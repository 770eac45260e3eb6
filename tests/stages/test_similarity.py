"""Cosines with a target's examples, from a scripted model whose vectors are known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch
from schemas.columns import ANSWER, MESSAGES
from schemas.errors import InputError
from schemas.models import Failure
from stages.similarity import STAGE, Config, Examples, similarities
from tests.stages.scripted_vectors import Model, Result
from tests.support import FakeContext, given_table

EAST, NORTH, WEST = [2.0, 0.0], [0.0, 0.5], [-1.0, 0.0]
PLACES: dict[str, Result] = {"east": EAST, "north": NORTH, "west": WEST, "between": [3.0, 3.0]}
HALF = math.sqrt(0.5)
"""Cosine of `between` with its neighbours."""


def configured(**values: Any) -> Config:
    text = {"model": "m", "target": "t.jsonl", "text": ["answer"], **values}
    return Config.model_validate_json(json.dumps(text))


def scored(
    texts: Sequence[str],
    targets: Sequence[str],
    vectors: Mapping[str, Result] = PLACES,
    model: Model | None = None,
    **values: Any,
) -> Batch:
    rows = [{"row_id": f"{i}", "answer": text} for i, text in enumerate(texts)]
    table = pa.Table.from_pylist(rows, schema=pa.schema({"row_id": "string", "answer": "string"}))
    records = given_table([{"text": text} for text in targets])
    context = FakeContext({"m": model or Model(vectors)}, given={"target": records})
    assert STAGE.run is not None
    return STAGE.run(Batch(table), configured(**values), context)


def scores(batch: Batch) -> list[float]:
    return [row["target_similarity"] for row in batch.rows]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 1 / 3, HALF / 3]),  # (1 + 0 - 1) / 3, (0 + 1 + 0) / 3, (HALF + HALF - HALF) / 3
        ({"over_targets": "max"}, [1, 1, HALF]),
        ({"over_targets": "top_m", "top_m": 2}, [0.5, 0.5, HALF]),
        ({"over_targets": "top_m", "top_m": 9}, [0, 1 / 3, HALF / 3]),
    ],
)
def test_a_score_is_a_mean_of_the_highest_cosines(
    settings: dict[str, Any], expected: list[float]
) -> None:
    found = scores(scored(["east", "north", "between"], ["east", "north", "west"], **settings))
    assert found == pytest.approx(expected, abs=1e-15)


def test_the_order_of_the_examples_does_not_matter_and_blank_ones_do_not_count() -> None:
    texts = ["east", "between"]
    expected = scores(scored(texts, ["north", "west", "between"]))
    assert scores(scored(texts, ["between", " ", "west", "", "north"])) == expected


def test_the_model_sees_each_example_once_however_many_parts_ask() -> None:
    model = Model(PLACES)
    table = pa.table({"row_id": ["0"], "answer": ["east"]})
    context = FakeContext({"m": model}, given={"target": given_table([{"text": "north"}])})
    assert STAGE.run is not None
    for _ in range(3):
        STAGE.run(Batch(table), configured(), context)
    assert model.asked.count("north") == 1


def test_rows_without_a_vector_are_turned_away() -> None:
    vectors = PLACES | {"zero": [0.0, 0.0], "late": Failure("1", "timeout", "late")}
    batch = scored(["zero", "late", " ", "east"], ["east"], vectors)
    assert [row["row_id"] for row in batch.rows] == ["3"]
    codes = {reject.row_id: reject.code for reject in batch.rejects}
    assert codes == {"0": "not_finite", "1": "engine_timeout", "2": "empty_text"}


def test_what_was_cut_off_is_counted_or_turned_away() -> None:
    batch = scored(["east"], ["east"], model=Model(PLACES, cut=5))
    assert [row["target_similarity_n_truncated"] for row in batch.rows] == [5]
    batch = scored(["east"], ["east"], model=Model(PLACES, cut=5), allow_truncated=False)
    assert [reject.code for reject in batch.rejects] == ["truncated"]


def test_no_row_stays() -> None:
    batch = scored([" "], ["east"])
    assert (len(batch), [reject.code for reject in batch.rejects]) == (0, ["empty_text"])


@pytest.mark.parametrize(
    ("targets", "vectors", "message"),
    [
        ([], {}, "needs one example"),
        ([" "], {}, "blank examples only"),
        (["zero"], {"zero": [0.0, 0.0]}, "example `zero`: its vector has no direction"),
        (["late"], {"late": Failure("0", "timeout", "too late")}, "example `late`: too late"),
    ],
)
def test_a_target_that_cannot_be_used(
    targets: list[str], vectors: dict[str, Result], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        scored(["east"], targets, PLACES | vectors)


@pytest.mark.parametrize("settings", [{"top_m": 2}, {"over_targets": "top_m"}])
def test_settings_that_do_not_go_together(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="go together"):
        configured(**settings)


def test_the_named_texts_are_read_and_no_other_column() -> None:
    assert STAGE.fit(configured(text=["answer"])).reads == (ANSWER,)
    assert STAGE.fit(configured(text=["prompt"])).reads == (MESSAGES,)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 60), st.integers(1, 40))
def test_how_rows_are_cut_into_parts_does_not_show_in_the_last_digit(
    seed: int, n_rows: int, dimensions: int, n_best: int
) -> None:
    drawn = np.random.default_rng(seed)
    vectors, targets = (drawn.normal(size=(n, dimensions)) for n in (n_rows, 40))
    examples = Examples(targets, targets.mean(axis=0))
    whole = similarities(vectors, examples, n_best)
    assert [similarities([vector.copy()], examples, n_best)[0] for vector in vectors] == whole
    by_sort = [np.sort(targets @ vector)[-n_best:].mean() for vector in vectors]
    assert whole == pytest.approx(by_sort, abs=1e-12)
