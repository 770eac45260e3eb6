"""An index of a dataset's rows: what rows are found by, one short line of each, and where they lie.

It is made once, from the columns that it needs, in a DuckDB file in a folder of its own that goes
when it is closed. The places of the rows that fit a query are kept, so that every page of it, the
last like the first, is a slice.

Cost, for a million pairs on 2 cores: see `tests/benchmarks/RESULTS.md`, view.
"""

from __future__ import annotations

import re
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline.browse.query import ORDERS, Query
from pipeline.browse.records import Record, kind_of, record_of
from pipeline.browse.shards import Shard, shards_of
from schemas.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.dataset.read import DatasetFolder

    Places = NDArray[np.int32]

_MEMORY = "1GB"
_KEPT_PLACES = 50_000_000
"""Places that answers to queries may have together, 4 bytes each."""
_LINE_CHARACTERS = 160
_MOST_SOURCES = 200
_TABLE = """CREATE TABLE rows(place INTEGER, config VARCHAR, split VARCHAR, row_id VARCHAR,
    source VARCHAR, margin DOUBLE, score DOUBLE, label BOOLEAN, line VARCHAR)"""


class RowIndex:
    """The index of one dataset; safe to use from several threads."""

    def __init__(self, dataset: DatasetFolder, seed: int = 0) -> None:
        """Make it.

        Args:
            dataset: whose rows.
            seed: of the order `shuffled`.

        Raises:
            InputError: a file of the dataset cannot be read, or there is nothing to see.
        """
        self.shards = shards_of(dataset)
        self._seed = seed
        self._kept: OrderedDict[Query, Places] = OrderedDict()
        self._orders: dict[str, Places] = {}
        self._lock, self._sorting = Lock(), Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="prefmill-view-")
        self._database = _open(self._folder.name)
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def _fill(self) -> None:
        import duckdb

        self._database.execute(_TABLE)
        for shard in self.shards:
            try:
                self._database.execute(
                    _insert(shard), [shard.first, shard.config, shard.split, _literal(shard.path)]
                )
            except duckdb.Error as error:
                raise InputError(f"{shard.path}: cannot be indexed: {error}") from None

    def close(self) -> None:
        """Free what it holds."""
        self._database.close()
        self._folder.cleanup()

    @property
    def n_rows(self) -> int:
        """Rows of the dataset."""
        return self.shards[-1].starts[-1]

    def places(self, query: Query) -> Places:
        """Places of the rows that fit, in order; text and marks are not looked at."""
        asked = query.settled
        with self._lock:
            if asked in self._kept:
                self._kept.move_to_end(asked)
                return self._kept[asked]
        found = self._fitting(asked)
        with self._lock:
            self._kept[asked] = found
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT_PLACES:
                self._kept.popitem(last=False)
        return found

    def _fitting(self, query: Query) -> Places:
        """All rows are in order already: those that fit are picked out of them, and none sorted."""
        import numpy as np

        sql, values = query.sql()
        in_order = self._in_order(query.order)
        if not values:
            return in_order
        fits = np.zeros(self.n_rows, dtype=bool)
        fits[self._ask(sql, values).fetchnumpy()["place"]] = True
        found: Places = in_order[fits[in_order]]
        return found

    def _in_order(self, order: str) -> Places:
        """The places of all rows in an order; sorted when first asked for."""
        with self._sorting:
            if order not in self._orders:
                by = ORDERS[order].format(seed=int(self._seed))
                found = self._ask(f"SELECT place FROM rows ORDER BY {by}").fetchnumpy()
                self._orders[order] = found["place"]
            return self._orders[order]

    def sort(self) -> None:
        """Sort the rows in every order, so that nobody waits for it."""
        for order in ORDERS:
            self._in_order(order)

    def lines(self, places: Places) -> list[Record]:
        """What a list shows of the rows at some places, in their order."""
        if not len(places):
            return []
        found = self._ask(
            "SELECT place, row_id AS id, config, split, source, margin, score, label, line "
            "FROM rows WHERE place BETWEEN ? AND ? AND place IN (SELECT unnest(?::INTEGER[]))",
            [int(places.min()), int(places.max()), places.tolist()],
        )
        names = [column[0] for column in found.description]
        by_place = {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}
        return [self._line(by_place[place]) for place in places.tolist()]

    def _line(self, row: Record) -> Record:
        shard = self._shard_of(row["place"])
        return {**row, "kind": kind_of(shard.columns)}

    def place_of(self, config: str, row_id: str) -> int | None:
        """Where a row lies; None if there is no such row."""
        found = self._ask(
            "SELECT place FROM rows WHERE row_id = ? AND config = ? ORDER BY place LIMIT 1",
            [row_id, config],
        ).fetchone()
        return None if found is None else int(found[0])

    def places_of(self, keys: Sequence[tuple[str, str]]) -> Places:
        """Where rows of these configs and row_ids lie; those that are not there are left out."""
        configs, row_ids = [config for config, _ in keys], [row_id for _, row_id in keys]
        found: Places = self._ask(
            "SELECT place FROM rows WHERE (config, row_id) IN "
            "(SELECT (unnest(?::VARCHAR[]), unnest(?::VARCHAR[])))",
            [configs, row_ids],
        ).fetchnumpy()["place"]
        return found

    def row(self, place: int) -> Record:
        """The row at a place, as it is in its file."""
        shard = self._shard_of(place)
        group = shard.group_of(place)
        rows = shard.read_group(group).slice(place - shard.starts[group], 1).to_pylist()
        row: Record = rows[0]
        return row

    def record(self, place: int) -> Record:
        """The row at a place as the browser shows it."""
        shard = self._shard_of(place)
        return record_of(self.row(place), shard.config, shard.split)

    def facets(self) -> dict[str, list[dict[str, Any]]]:
        """How many rows each config, split and source has; the commonest sources only."""
        return {
            "configs": self._counts("config", "min(place)"),
            "splits": self._counts("split", "min(place)"),
            "sources": self._counts("source", "count(*) DESC, source"),
        }

    def _counts(self, column: str, order: str) -> list[dict[str, Any]]:
        found = self._ask(
            f"SELECT {column}, count(*) FROM rows WHERE {column} IS NOT NULL "
            f"GROUP BY {column} ORDER BY {order} LIMIT {_MOST_SOURCES}"
        )
        return [{"name": name, "rows": rows} for name, rows in found.fetchall()]

    def _shard_of(self, place: int) -> Shard:
        return next(shard for shard in self.shards if place < shard.starts[-1])

    def _ask(self, sql: str, values: list[Any] | None = None) -> duckdb.DuckDBPyConnection:
        import duckdb

        try:
            return self._database.cursor().execute(sql, values or [])
        except duckdb.Error as error:
            raise InputError(f"the index of the rows cannot be asked: {error}") from None


def _open(folder: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    settings = {
        "memory_limit": _MEMORY,
        "temp_directory": folder,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    return duckdb.connect(f"{folder}/rows.duckdb", config=settings)


def _literal(path: Path) -> str:
    """A path that DuckDB takes for itself, whatever signs of a pattern are in it."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _insert(shard: Shard) -> str:
    """SQL that indexes a file; its text is of our own names alone."""
    has = set(shard.columns).__contains__
    score = next((n for n in ("score_chosen", "score") if has(n)), None)
    if score is None:
        score = "scores[1]" if has("scores") else "NULL"
    line = next(
        sql
        for name, sql in (
            ("prompt", "prompt[-1].content"),
            ("text", '"text"'),
            ("chosen", "chosen[-2].content"),
            ("completion", "completion[-1].content"),
        )
        if has(name)
    )
    source, margin = (name if has(name) else "NULL" for name in ("source", "margin"))
    label = '"label"' if has("label") else "NULL"
    return (
        f"INSERT INTO rows SELECT ? + file_row_number, ?, ?, row_id, {source}, {margin}, {score}, "
        f"{label}, left({line}, {_LINE_CHARACTERS}) FROM read_parquet(?, file_row_number = true)"
    )
