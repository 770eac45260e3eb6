"""Names in an expression, and the columns of a row that they stand for.

`prompt` is the last user turn, `conversation` all turns of the prompt, `system` its system turns.
Any other name is that of a column.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

from pydantic import AfterValidator

from schemas.columns import Column
from schemas.errors import Problem, RecipeError
from schemas.selection import named_column
from schemas.types import ANY, BOOL, STRING, ListOf, Scalar, Struct
from stages._column_expression import Expression, NotAnExpression
from stages._column_kinds import Kind, read_expression
from stages._texts import TextName, text_columns, texts_of

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS = frozenset(get_args(TextName))
_SCALARS: dict[Scalar, Kind] = {ANY: "unknown", STRING: "text", BOOL: "truth"}


def columns_named(expression: Expression) -> tuple[Column, ...]:
    """The columns that an expression reads, each once."""
    return tuple(dict.fromkeys(_column(name) for name in expression.names))


def _column(name: str) -> Column:
    return text_columns((cast(TextName, name),))[0] if name in _TEXTS else named_column(name)


def _kind(name: str) -> Kind:
    """What a column is, as far as that is known before there are rows."""
    kind = STRING if name in _TEXTS else named_column(name).type
    if isinstance(kind, ListOf | Struct):
        return "list" if isinstance(kind, ListOf) else "other"
    return _SCALARS.get(kind, "number")


@lru_cache(maxsize=64)
def condition(text: str) -> Expression:
    """An expression that is true or false of a row.

    Raises:
        NotAnExpression: the text is none.
    """
    return read_expression(text, "truth", _kind)


@lru_cache(maxsize=64)
def measure(text: str) -> Expression:
    """An expression that gives a number for a row.

    Raises:
        NotAnExpression: the text is none.
    """
    return read_expression(text, "number", _kind)


def _checked_condition(text: str) -> str:
    return condition(text).text


def _checked_measure(text: str) -> str:
    return measure(text).text


Condition = Annotated[str, AfterValidator(_checked_condition)]
"""Type of a setting that holds an expression, true or false of a row."""
Measure = Annotated[str, AfterValidator(_checked_measure)]
"""Type of a setting that holds an expression, a number for each row."""


def operands(table: pa.Table, expression: Expression) -> dict[str, pa.Array]:
    """The columns that an expression names, in the form that it computes with."""
    import pyarrow as pa

    from stages._column_values import as_operand

    return {
        name: as_operand(pa.chunked_array([texts_of(table, (cast(TextName, name),))]))
        if name in _TEXTS
        else as_operand(table.column(name))
        for name in expression.names
    }


def values_of(
    table: pa.Table, expression: Expression, wanted: Literal["truth", "number"], place: str
) -> pa.Array:
    """The value of an expression for each row of a table; see `stages._column_values`.

    Args:
        place: the setting that holds it, for the error, e.g. `stages.filter.where`.

    Raises:
        RecipeError: a column of the input is of a type that does not fit.
    """
    from stages._column_values import evaluate

    try:
        return evaluate(expression, wanted, operands(table, expression), table.num_rows)
    except NotAnExpression as error:
        advice = "change the expression; the types are those of the input's columns"
        raise RecipeError([Problem(key=place, seen=str(error), advice=advice)]) from error
