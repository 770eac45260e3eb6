"""Batches hold exactly the columns they were made with."""

import pyarrow as pa
import pytest

from schemas.arrow import arrow_schema
from schemas.batch import Batch, Reject, make_batch
from schemas.columns import MARGIN, MESSAGES, P_CHOSEN, ROW_ID

ROW = {"row_id": "a", "messages": [{"role": "user", "content": "Why?"}]}


def test_rows_come_back_as_they_went_in() -> None:
    reject = Reject("b", "empty", "has no text")
    batch = make_batch([ROW_ID, MESSAGES], [ROW], [reject])
    assert batch.rows == [ROW]
    assert batch.rejects == (reject,)
    assert len(batch) == 1


def test_no_rows_still_have_their_columns() -> None:
    batch = make_batch([ROW_ID, MESSAGES], [])
    assert len(batch) == 0
    assert batch.table.schema == arrow_schema([ROW_ID, MESSAGES])


def test_columns_stand_in_the_order_asked_for() -> None:
    rows = [{"margin": 0.5, "row_id": "a"}]
    assert make_batch([ROW_ID, MARGIN], rows).table.column_names == ["row_id", "margin"]


def test_an_undeclared_key_is_an_error_in_any_row() -> None:
    rows = [{"row_id": "a"}, {"row_id": "b", "scores": [], "extra": 1}]
    with pytest.raises(ValueError, match=r"undeclared columns \['extra', 'scores'\]"):
        make_batch([ROW_ID], rows)


def test_a_missing_key_is_an_error_even_where_null_is_allowed() -> None:
    with pytest.raises(KeyError, match="p_chosen"):
        make_batch([ROW_ID, P_CHOSEN], [{"row_id": "a"}])
    assert make_batch([P_CHOSEN], [{"p_chosen": None}]).rows == [{"p_chosen": None}]


def test_a_value_of_another_type_is_an_error() -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        make_batch([MARGIN], [{"margin": "much"}])


def test_batches_do_not_change() -> None:
    batch = Batch(pa.table({"row_id": ["a"]}))
    with pytest.raises(AttributeError):
        batch.rejects = ()  # type: ignore[misc]  # that it cannot be set is what is tested
