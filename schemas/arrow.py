"""From our column descriptions to Arrow, and the check that a table keeps them."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from schemas.columns import Column
from schemas.errors import ContractError
from schemas.types import Field, ListOf, Scalar, Type

_SCALARS = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}


def arrow_type(kind: Type) -> pa.DataType:
    """The Arrow type of one of our types."""
    if isinstance(kind, Scalar):
        return _SCALARS[kind.name]
    if isinstance(kind, ListOf):
        return pa.list_(pa.field("item", arrow_type(kind.item), nullable=False))
    return pa.struct([_arrow_field(field) for field in kind.fields])


def _arrow_field(field: Field | Column) -> pa.Field:
    return pa.field(field.name, arrow_type(field.type), nullable=field.nullable)


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table that holds exactly these columns, in this order."""
    return pa.schema([_arrow_field(column) for column in columns])


def check_no_nulls(table: pa.Table, where: str) -> None:
    """Raise ContractError if a null stands where the schema allows none, at any depth.

    Arrow itself does not enforce `nullable=False`.
    """
    for field in table.schema:
        for chunk in table.column(field.name).chunks:
            _check_array(chunk, field, f"{where}: column `{field.name}`")


def _check_array(array: pa.Array, field: pa.Field, where: str) -> None:
    if array.null_count and not field.nullable:
        raise ContractError(f"{where} holds {array.null_count} nulls; the column allows none")
    if pa.types.is_list(field.type):
        _check_array(array.flatten(), field.type.value_field, where)
    elif pa.types.is_struct(field.type):
        # Arrow's compute functions take longer to import than to look for what is not there.
        valid = array.drop_null() if array.null_count else array
        for index in range(field.type.num_fields):
            child = field.type.field(index)
            _check_array(valid.field(index), child, f"{where}.{child.name}")
