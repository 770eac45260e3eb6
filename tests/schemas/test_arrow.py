"""Column descriptions as Arrow types, and nulls found at any depth."""

import pyarrow as pa
import pytest

from schemas.arrow import arrow_schema, arrow_type, check_no_nulls
from schemas.columns import Column
from schemas.errors import ContractError
from schemas.types import BOOL, FLOAT, INT, STRING, Field, ListOf, Struct

PART = Struct((Field("name", STRING, ""), Field("note", STRING, "", nullable=True)))
PARTS = Column("parts", ListOf(PART), "")


def table(column: Column, values: list[object]) -> pa.Table:
    schema = arrow_schema([column])
    return pa.Table.from_arrays([pa.array(values, type=schema[0].type)], schema=schema)


def test_types_and_nullability_of_every_depth() -> None:
    assert [arrow_type(kind) for kind in (STRING, INT, FLOAT, BOOL)] == [
        pa.string(),
        pa.int64(),
        pa.float64(),
        pa.bool_(),
    ]
    kind = arrow_type(PARTS.type)
    assert not kind.value_field.nullable
    assert not kind.value_type.field("name").nullable
    assert kind.value_type.field("note").nullable


def test_a_schema_keeps_the_order_and_the_nullable() -> None:
    schema = arrow_schema([Column("b", INT, "", nullable=True), Column("a", STRING, "")])
    assert schema == pa.schema(
        [pa.field("b", pa.int64()), pa.field("a", pa.string(), nullable=False)]
    )


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (None, "column `parts` holds 1 nulls"),
        ([{"name": "a", "note": "b"}, None], "column `parts` holds 1 nulls"),
        ([{"name": None, "note": "b"}], "column `parts`.name holds 1 nulls"),
    ],
    ids=["the list", "an item", "a field of an item"],
)
def test_a_null_where_none_is_allowed_is_named(value: object, place: str) -> None:
    fine = [{"name": "a", "note": None}]
    with pytest.raises(ContractError) as caught:
        check_no_nulls(table(PARTS, [fine, value]), "step `s`")
    assert str(caught.value) == f"step `s`: {place}; the column allows none"


def test_nulls_that_are_allowed_pass() -> None:
    check_no_nulls(table(PARTS, [[], [{"name": "a", "note": None}]]), "here")
    # What is inside a null struct is nobody's value.
    maybe = Column("maybe", PART, "", nullable=True)
    check_no_nulls(table(maybe, [None, {"name": "a", "note": None}]), "here")


def test_every_chunk_is_looked_at() -> None:
    good, bad = table(PARTS, [[]]), table(PARTS, [None])
    with pytest.raises(ContractError):
        check_no_nulls(pa.concat_tables([good, bad]), "here")


def test_a_slice_is_judged_by_its_own_rows() -> None:
    rows = table(PARTS, [None, [{"name": "a", "note": None}]])
    check_no_nulls(rows.slice(1), "here")
    with pytest.raises(ContractError):
        check_no_nulls(rows.slice(0, 1), "here")
