"""Languages of a sample of both sides, told as the stage `filter` tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.compare.shifts import category_shift
from pipeline.compare.sides import SIDES, Columns, named
from pipeline.compare.structure import CategoryShift

if TYPE_CHECKING:
    import duckdb

SAMPLE = 2000
"""Rows of each side that are looked at: those whose row_ids have the least hashes."""

_READ_CHARS = 1000
_LOOKED_AT = ("chosen", "completion", "completions", "text", "rejected", "prompt")
"""The first of these columns that a config has is read."""


def language_shift(connection: duckdb.DuckDBPyConnection, columns: Columns) -> CategoryShift | None:
    """How the languages of the answers moved; None in a config without texts."""
    column = next((name for name in _LOOKED_AT if name in columns.texts), None)
    if column is None:
        return None
    for side in SIDES:
        values = _languages(connection, side, _text(column, columns.types[column]))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {side}_languages (v VARCHAR)")
        if values:
            connection.execute(f"INSERT INTO {side}_languages SELECT unnest(?)", [values])
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {side}_values AS SELECT v FROM {side}_languages"
        )
    return category_shift(connection, "language", sampled=True)


def _text(column: str, kind: str) -> str:
    if kind == "VARCHAR":
        return named(column)
    return f"{named(column)}[-1]" + ("" if kind == "VARCHAR[]" else ".content")


def _languages(connection: duckdb.DuckDBPyConnection, side: str, text: str) -> list[str]:
    import pyarrow as pa

    from stages._languages import languages_of

    sample = f"SELECT row_id FROM {side}_rows ORDER BY hash(row_id), row_id LIMIT {SAMPLE}"
    query = (
        f"SELECT left({text}, {_READ_CHARS}) FROM {side}_files WHERE row_id IN ({sample}) "
        f"AND {text} IS NOT NULL"
    )
    texts = [found for (found,) in connection.execute(query).fetchall()]
    if not texts:
        return []
    labels, chances = languages_of(pa.array(texts, pa.large_string()), _READ_CHARS)
    return [labels[best] for best in chances.argmax(axis=1).tolist()]
