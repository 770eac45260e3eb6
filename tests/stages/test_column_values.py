from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages._column_expression import NotAnExpression
from stages._column_kinds import FUNCTIONS, Kind, read_expression
from stages._column_values import as_operand, evaluate, kind_of_array
from stages._words import words_of

COLUMNS = {
    "x": pa.array([1.0, -2.0, None, math.nan, math.inf]),
    "n": pa.array([1, 2, 3, 0, 5], pa.int32()),
    "t": pa.array(["one two", "", None, "Ünï 公園", "a.b"]),
    "yes": pa.array([True, False, None, True, False]),
    "tags": pa.array([["a"], [], None, ["b", "c"], []], pa.list_(pa.string())),
    "empty": pa.nulls(5),
    "sort": pa.array(["a", "b", "a", None, "c"]).dictionary_encode(),
    "when": pa.array([0] * 5, pa.timestamp("s")),
}


def value(text: str, wanted: Kind = "truth") -> list[Any]:
    columns = {name: as_operand(pa.chunked_array([array])) for name, array in COLUMNS.items()}
    expression = read_expression(text, wanted, lambda name: kind_of_array(columns[name]))
    array = evaluate(expression, wanted, columns, 5)
    assert array.type == (pa.bool_() if wanted == "truth" else pa.float64())
    return list(array.to_pylist())


def test_what_is_missing_or_not_finite_is_null_and_so_is_what_comes_of_it() -> None:
    assert value("x + 1", "number") == [2.0, -1.0, None, None, None]
    assert value("x / n", "number") == [1.0, -1.0, None, None, None]
    assert value("1 / n", "number") == [1.0, 0.5, pytest.approx(1 / 3), None, 0.2]
    assert value("log(x)", "number") == [0.0, None, None, None, None]
    assert value("x > 0") == [True, False, None, None, None]
    assert value("is_null(x)") == [False, False, True, True, True]
    assert value("empty > 1 or yes") == [True, None, None, True, None]
    assert value("empty == 'a' and yes") == [None, False, None, None, False]
    assert value("len(empty) + words(empty)", "number") == [None] * 5


def test_and_or_and_not_know_the_unknown() -> None:
    assert value("yes and n > 4") == [False, False, False, False, False]
    assert value("yes and n > 2") == [False, False, None, False, False]
    assert value("yes or n > 2") == [True, False, True, True, True]
    assert value("not yes") == [False, True, None, False, True]


def test_functions_of_texts() -> None:
    assert value("len(t)", "number") == [7, 0, None, 6, 3]
    assert value("words(t)", "number") == [2, 0, None, 3, 2]
    assert value("lower(t) == 'ünï 公園'") == [False, False, None, True, False]
    assert value("contains(t, '.')") == [False, False, None, False, True]
    assert value("starts_with(t, 'one') or ends_with(t, 'b')") == [True, False, None, False, True]
    assert value("matches(t, '^[a-z ]+$')") == [True, False, None, False, False]
    assert value("len(tags)", "number") == [1, 0, None, 2, 0]


def test_functions_of_numbers_and_lists_of_values() -> None:
    assert value("abs(x)", "number") == [1.0, 2.0, None, None, None]
    assert value("min(n, 2)", "number") == [1, 2, 2, 0, 2]
    assert value("max(x, n, 0)", "number") == [1, 2, None, None, None]
    assert value("n in [1, 5, -1]") == [True, False, False, False, True]
    assert value("sort in ['a']") == [True, False, True, None, False]
    assert value("sort not in ['a']") == [False, True, False, None, True]
    assert value("yes == true") == [True, False, None, True, False]


def test_what_names_no_column_is_the_same_for_all_rows() -> None:
    assert value("1 + 1", "number") == [2.0] * 5
    assert value("len('abc') == 3 and 1 / 0 > 1") == [None] * 5
    assert value("true") == [True] * 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", "the whole must be a truth and is a number"),
        ("t > 1", "what `>` works on must be a number and is a text"),
        ("x + 'a' > 1", "must be a number and is a text"),
        ("x == 'a'", "a number and a text are never equal"),
        ("x in ['a', 1]", "never equal"),
        ("tags == tags", "cannot be compared"),
        ("x and yes", "what `and` works on must be a truth and is a number"),
        ("lenght(t) > 1", "no function `lenght`; did you mean `len`"),
        ("zzz(t) > 1", "no function `zzz`; there are len, words"),
        ("len(x) > 1", "`len` takes a list or a text, not a number"),
        ("len(when) > 1", "not a other"),
        ("len(t, t) > 1", "takes 1 arguments, not 2"),
        ("max(x) > 1", "takes 2 or more arguments, not 1"),
        ("contains(t, t)", "looks for a text in quotes"),
        ("matches(t, '(?=a)')", "no regular expression of RE2"),
    ],
)
def test_what_does_not_fit_together_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NotAnExpression, match=reason.replace("(", r"\(")):
        value(text)


def test_a_function_without_brackets_is_told_from_a_column() -> None:
    with pytest.raises(NotAnExpression, match="`len` needs its argument in brackets"):
        read_expression("len > 1", "truth", lambda name: "unknown")


def test_every_function_is_described() -> None:
    from stages import _column_kinds

    assert all(f"{name}" in (_column_kinds.__doc__ or "") for name in FUNCTIONS)


NUMBERS = st.one_of(st.none(), st.integers(-3, 3).map(float))


def sums(depth: int) -> st.SearchStrategy[str]:
    leaf = st.one_of(st.sampled_from(["x", "y"]), st.integers(0, 3).map(str))
    if depth == 0:
        return leaf
    inner = sums(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"-({text})"),
        st.tuples(inner, inner).map(lambda t: f"min({t[0]}, {t[1]})"),
    )


def by_python(text: str, row: Mapping[str, float | None]) -> float | None:
    names = {name: row[name] for name in row if name in text}
    if None in names.values():
        return None
    return float(eval(text, {"__builtins__": {}, "min": min}, names))


@given(sums(3), st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_arithmetic_is_that_of_python(
    text: str, rows: Sequence[tuple[float | None, float | None]]
) -> None:
    columns = {
        name: pa.array([row[at] for row in rows], pa.float64()) for at, name in enumerate("xy")
    }
    expression = read_expression(text, "number", lambda name: "number")
    found = evaluate(expression, "number", columns, len(rows)).to_pylist()
    assert found == [by_python(text, {"x": x, "y": y}) for x, y in rows]


@given(st.lists(st.one_of(st.none(), st.text()), max_size=6))
def test_words_are_those_of_the_other_stages(texts: list[str | None]) -> None:
    column = as_operand(pa.chunked_array([pa.array(texts, pa.string())]))
    expression = read_expression("words(t)", "number", lambda name: "text")
    found = evaluate(expression, "number", {"t": column}, len(texts)).to_pylist()
    assert found == [None if text is None else len(words_of(text)) for text in texts]
