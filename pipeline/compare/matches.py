"""Rows, labels and prompts of both sides matched: what came, went, changed, turned, moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.compare.sides import Columns, one_row

if TYPE_CHECKING:
    import duckdb

_SHOWN = 5
"""Row_ids that are named, of however many rows."""


def match_rows(
    connection: duckdb.DuckDBPyConnection, columns: Columns
) -> tuple[int, int, dict[str, int]]:
    """Rows that both sides have by row_id, those of them that changed, and how many by column."""
    differs = [f"o.h{i} <> n.h{i}" for i in range(len(columns.types))]
    counts = [f"count(*) FILTER ({each})" for each in (" OR ".join(differs) or "false", *differs)]
    query = f"SELECT count(*), {', '.join(counts)} FROM old_rows o JOIN new_rows n USING (row_id)"
    both, changed, *by_column = one_row(connection, query)
    found = zip(columns.types, by_column, strict=True)
    return both, changed, {name: count for name, count in found if count}


def match_labels(connection: duckdb.DuckDBPyConnection) -> tuple[int | None, int, tuple[str, ...]]:
    """Pairs that both sides have by their texts, those whose label is the opposite, and row_ids.

    A pair that a side has with both labels is compared and counts as no flip. None if the config
    has no labels.
    """
    if not one_row(connection, "SELECT count(_pair) FROM new_rows")[0]:
        return None, 0, ()
    sides = (
        f"SELECT _pair, bool_and(_label) AS always, bool_or(_label) AS ever FROM {side}_rows "
        "GROUP BY _pair"
        for side in ("old", "new")
    )
    both = "({}) o JOIN ({}) n USING (_pair)".format(*sides)
    turned = "(o.always AND NOT n.ever) OR (NOT o.ever AND n.always)"
    compared, flipped = one_row(
        connection, f"SELECT count(*), count(*) FILTER ({turned}) FROM {both}"
    )
    where = f"_pair IN (SELECT _pair FROM {both} WHERE {turned})" if flipped else "false"
    return compared, flipped, _ids(connection, where)


def match_splits(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, tuple[str, ...]]:
    """Prompts in another split than before, prompts in two splits of the new side, and row_ids."""
    sides = (
        f"SELECT _prompt, min(_split) AS first, max(_split) AS last FROM {side}_rows "
        "WHERE _prompt IS NOT NULL GROUP BY _prompt"
        for side in ("old", "new")
    )
    old, new = sides
    joined = f"({new}) n LEFT JOIN ({old}) o USING (_prompt)"
    moved, leaked = "o.first <> n.first OR o.last <> n.last", "n.first <> n.last"
    counts = f"count(*) FILTER ({moved}), count(*) FILTER ({leaked})"
    n_moved, n_leaked = one_row(connection, f"SELECT {counts} FROM {joined}")
    if not n_moved and not n_leaked:
        return 0, 0, ()
    where = f"_prompt IN (SELECT _prompt FROM {joined} WHERE {moved} OR {leaked})"
    return n_moved, n_leaked, _ids(connection, where)


def _ids(connection: duckdb.DuckDBPyConnection, where: str) -> tuple[str, ...]:
    query = f"SELECT row_id FROM new_rows WHERE {where} ORDER BY row_id LIMIT {_SHOWN}"
    return tuple(row_id for (row_id,) in connection.execute(query).fetchall())
