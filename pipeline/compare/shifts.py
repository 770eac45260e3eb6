"""How the distributions of numbers and categories moved between the two sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.compare.effects import of_categories, of_numbers
from pipeline.compare.sides import SIDES, Columns, named, one_row, quoted
from pipeline.compare.structure import CategoryShare, CategoryShift, NumberShift, Spread

if TYPE_CHECKING:
    import duckdb

CATEGORIES = ("source", "labeller", "model", "chosen_model", "rejected_model", "label")
"""Columns whose values are counted, where a config has them."""

_NUMBERS = ("DOUBLE", "DOUBLE[]")
_SHOWN = 10
_NO_VALUE = "(none)"


def number_shifts(connection: duckdb.DuckDBPyConnection, columns: Columns) -> list[NumberShift]:
    """Of lengths and of every column of numbers, the greatest shift first."""
    found = []
    for name, kind in columns.types.items():
        if kind in _NUMBERS:
            found.append(_number(connection, name, "files", named(name), kind))
    for i, name in enumerate(columns.texts):
        several = columns.types[name] == "VARCHAR[]"
        kind = "BIGINT[]" if several else "BIGINT"
        found.append(_number(connection, f"{name} characters", "rows", f"n{i}", kind))
    return sorted(found, key=lambda shift: -(shift.distance or 0))


def _number(
    connection: duckdb.DuckDBPyConnection, name: str, table: str, column: str, kind: str
) -> NumberShift:
    value = f"unnest({column})" if kind.endswith("[]") else column
    for side in SIDES:
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {side}_values AS SELECT v FROM "
            f"(SELECT {value}::DOUBLE AS v FROM {side}_{table}) WHERE isfinite(v)"
        )
    old, new = (_spread(connection, side) for side in SIDES)
    if not old.n or not new.n:
        return NumberShift(name, old, new, None, None, None, None)
    delta, distance = _ranks(connection, old.n, new.n)
    words = of_numbers(distance, old.n, new.n)
    return NumberShift(name, old, new, _cohen(old, new), delta, distance, words)


def _spread(connection: duckdb.DuckDBPyConnection, side: str) -> Spread:
    query = f"SELECT count(v), avg(v), median(v), stddev_samp(v) FROM {side}_values"
    return Spread(*one_row(connection, query))


def _cohen(old: Spread, new: Spread) -> float | None:
    """Difference of the means in pooled standard deviations."""
    if old.deviation is None or new.deviation is None or old.mean is None or new.mean is None:
        return None
    freedom = old.n + new.n - 2
    squares = (old.n - 1) * old.deviation**2 + (new.n - 1) * new.deviation**2
    return (new.mean - old.mean) / math.sqrt(squares / freedom) if squares else None


def _ranks(connection: duckdb.DuckDBPyConnection, n_old: int, n_new: int) -> tuple[float, float]:
    """Cliff's delta and the Kolmogorov-Smirnov distance, from cumulative counts by value."""
    query = f"""
        WITH counts AS (
            SELECT v, count(*) FILTER (side = 0) AS a, count(*) FILTER (side = 1) AS b
            FROM (SELECT v, 0 AS side FROM old_values UNION ALL SELECT v, 1 FROM new_values)
            GROUP BY v
        ), sums AS (
            SELECT a, b, sum(a) OVER w AS to_a, sum(b) OVER w AS to_b FROM counts
            WINDOW w AS (ORDER BY v ROWS UNBOUNDED PRECEDING)
        )
        SELECT sum(b::DOUBLE * ((to_a - a) - ({n_old} - to_a))),
               max(abs(to_a / {n_old} - to_b / {n_new})) FROM sums"""
    wins, distance = one_row(connection, query)
    return wins / (n_old * n_new), distance


def category_shifts(connection: duckdb.DuckDBPyConnection, columns: Columns) -> list[CategoryShift]:
    """Of sources, models, labellers and labels, the greatest shift first."""
    found = []
    for name in CATEGORIES:
        if columns.types.get(name) in ("VARCHAR", "BOOLEAN"):
            for side in SIDES:
                value = f"coalesce({named(name)}::VARCHAR, {quoted(_NO_VALUE)})"
                connection.execute(
                    f"CREATE OR REPLACE TEMP VIEW {side}_values AS SELECT {value} AS v "
                    f"FROM {side}_files"
                )
            found.append(category_shift(connection, name))
    return sorted(found, key=lambda shift: -(shift.v or 0))


def category_shift(
    connection: duckdb.DuckDBPyConnection, name: str, *, sampled: bool = False
) -> CategoryShift:
    """The shift between the values in `old_values` and `new_values`."""
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE counts AS
        SELECT v, count(*) FILTER (side = 0) AS a, count(*) FILTER (side = 1) AS b
        FROM (SELECT v, 0 AS side FROM old_values UNION ALL SELECT v, 1 FROM new_values)
        GROUP BY v""")
    totals = "SELECT coalesce(sum(a), 0), coalesce(sum(b), 0), count(*) FROM counts"
    n_old, n_new, n_values = one_row(connection, totals)
    n_old, n_new = int(n_old), int(n_new)
    if not n_old or not n_new:
        return CategoryShift(name, n_old, n_new, (), n_values, None, None, None, sampled)
    # Of each value, how far its rows are from being shared out as all rows are.
    expected = f"(a + b) * {n_old}::DOUBLE / {n_old + n_new}"
    n = n_old + n_new
    distance, squares = one_row(
        connection,
        f"SELECT sum(abs(a / {n_old} - b / {n_new})) / 2, "
        f"sum((a - {expected}) ** 2 / ({expected}) * {n}::DOUBLE / {n_new}) FROM counts",
    )
    v = math.sqrt(squares / n)
    shares = tuple(_shares(connection, n_old, n_new))
    words = of_categories(v, n, n_values)
    return CategoryShift(name, n_old, n_new, shares, n_values, distance, v, words, sampled)


def _shares(
    connection: duckdb.DuckDBPyConnection, n_old: int, n_new: int
) -> Iterator[CategoryShare]:
    query = (
        f"SELECT v, a / {n_old} AS p, b / {n_new} AS q FROM counts "
        f"ORDER BY abs(p - q) DESC, p + q DESC, v LIMIT {_SHOWN}"
    )
    for value, old, new in connection.execute(query).fetchall():
        yield CategoryShare(value, old, new)
