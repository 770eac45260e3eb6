"""What an expression over columns comes to, column by column.

A null stands for a value that is missing. What is computed from it is null, but: `and` with a
false is false, `or` with a true is true, and `is_null` tells. A number is a 64-bit float; one that
is not finite (NaN in a column, a division by 0, the logarithm of 0 or less) counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stages._column_expression import Expression, Node
from stages._column_kinds import Kind, check_kinds
from stages._words import character_kinds

if TYPE_CHECKING:
    import pyarrow as pa

_COMPUTED = {
    **{"+": "add", "-": "subtract", "*": "multiply", "/": "divide"},
    **{"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal"},
    **{">": "greater", ">=": "greater_equal", "and": "and_kleene", "or": "or_kleene"},
    **{"not": "invert", "negative": "negate"},
}
_CALLED = {
    **{"lower": "utf8_lower", "abs": "abs", "log": "ln", "is_null": "is_null"},
    **{"contains": "match_substring", "matches": "match_substring_regex"},
    **{"starts_with": "starts_with", "ends_with": "ends_with"},
    **{"min": "min_element_wise", "max": "max_element_wise"},
}


def evaluate(
    expression: Expression, wanted: Kind, columns: Mapping[str, pa.Array], n_rows: int
) -> pa.Array:
    """The value of an expression for each row: float64, bool or large_string, perhaps null.

    Args:
        wanted: what it must come to.
        columns: each column that it names, as `as_operand` makes them.

    Raises:
        NotAnExpression: a column is of a type that does not fit.
    """
    import pyarrow as pa

    check_kinds(expression, wanted, lambda name: kind_of_array(columns[name]))
    value = value_of(expression.tree, columns)
    if pa.types.is_null(value.type):
        value = value.cast(pa.float64() if wanted == "number" else pa.bool_())
    return value if isinstance(value, pa.Array) else pa.repeat(value, n_rows)


def as_operand(column: pa.ChunkedArray) -> pa.Array:
    """A column in the form that expressions compute with."""
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of a dictionary, or of more than a chunk can hold
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = kind_of_array(array)
    if kind == "text":
        return array.cast(pa.large_string())
    if kind != "number":
        return array
    return _finite(array.cast(pa.float64(), safe=False))


def kind_of_array(array: pa.Array) -> Kind:
    """What a column of this Arrow type is to an expression."""
    import pyarrow.types as types

    kind = array.type
    if types.is_null(kind):
        return "unknown"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_boolean(kind):
        return "truth"
    return "list" if types.is_list(kind) or types.is_large_list(kind) else "other"


def value_of(node: Node, columns: Mapping[str, pa.Array]) -> pa.Array | pa.Scalar:
    """The value of a part of a checked expression; a scalar where no column is in it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if node.kind == "name":
        return columns[str(node.value)]
    if node.kind in ("number", "text", "truth"):
        return pa.scalar(node.value, type=_arrow_type(node.kind))
    if node.kind == "call":
        return _called(node, columns)
    if node.kind == "in":
        return _is_in(node, columns)
    operation = getattr(pc, _COMPUTED[node.kind])
    value = operation(*_of_one_type(node, [value_of(part, columns) for part in node.parts]))
    return _finite(value) if node.kind in "+-*/" else value


def _arrow_type(kind: str) -> pa.DataType:
    import pyarrow as pa

    return {"number": pa.float64(), "text": pa.large_string(), "truth": pa.bool_()}[kind]


def _of_one_type(node: Node, values: list[Any]) -> list[Any]:
    """Values of a column without a single one, cast to what the operator works on."""
    import pyarrow as pa

    known = [value.type for value in values if not pa.types.is_null(value.type)]
    default = _arrow_type("truth" if node.kind in ("and", "or", "not") else "number")
    wanted = known[0] if known else default
    return [value.cast(wanted) if pa.types.is_null(value.type) else value for value in values]


def _finite(value: Any) -> Any:
    """Null where a number is not finite."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_finite(value), value, pa.scalar(None, type=pa.float64()))


def _is_in(node: Node, columns: Mapping[str, pa.Array]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    tested, listed = node.parts
    options = pa.array(
        [literal.value for literal in listed.parts], type=_arrow_type(listed.parts[0].kind)
    )
    value = value_of(tested, columns)
    if pa.types.is_null(value.type):
        value = value.cast(options.type)
    found = pc.is_in(value, value_set=options)
    return pc.if_else(pc.is_valid(value), found, pa.scalar(None, type=pa.bool_()))


def _called(node: Node, columns: Mapping[str, pa.Array]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    name = str(node.value)
    values = [value_of(part, columns) for part in node.parts]
    if name == "is_null":
        return pc.is_null(values[0])
    numeric = name in ("abs", "log", "min", "max")
    default = _arrow_type("number" if numeric else "text")
    values = [value.cast(default) if pa.types.is_null(value.type) else value for value in values]
    if name in ("min", "max"):
        return getattr(pc, _CALLED[name])(*values, skip_nulls=False)
    if name in ("len", "words"):
        return _size(values[0], _words if name == "words" else _length)
    called = getattr(pc, _CALLED[name])
    value = called(values[0], *(str(part.value) for part in node.parts[1:]))
    return _finite(value) if name == "log" else value


def _size(value: Any, measure: Callable[[Any], Any]) -> Any:
    import pyarrow as pa

    if isinstance(value, pa.Scalar):
        return measure(pa.array([value.as_py()], type=value.type))[0].cast(pa.float64())
    return measure(value).cast(pa.float64())


def _length(values: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    measure = pc.utf8_length if kind_of_array(values) == "text" else pc.list_value_length
    return measure(values)


def _words(texts: pa.LargeStringArray) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    from stages.kernels.characters import count_words
    from stages.kernels.texts import buffers_of

    counts = pa.array(count_words(*buffers_of(texts), character_kinds()))
    return pc.if_else(pc.is_valid(texts), counts, pa.scalar(None, type=counts.type))
