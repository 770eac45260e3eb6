"""Both sides of a dataset config as tables of a database: hashes and numbers instead of texts.

    old_files, new_files    the rows as the Parquet files have them, and `_split`
    old_rows, new_rows      row_id, _split, `h<i>` a hash of each common column, `n<i>` lengths of
                            texts, `_prompt` and `_pair` what prompt and answers are told by, and
                            `_label`, which answer of the pair is preferred

The database keeps within `MEMORY` and spills what is more to a temporary folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.dataset.read import DatasetFolder
from schemas.columns import ROW_ID
from schemas.errors import InputError

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
SIDES = ("old", "new")
_TURNS = 'STRUCT("role" VARCHAR, "content" VARCHAR)[]'
_TEXTS = ("prompt", "chosen", "rejected", "completion", "completions", "text")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a config.

    Attributes:
        types: of those that both sides have with the same type, row_id apart: its type by name.
        added, dropped: those that only one side has, or with another type.
    """

    types: dict[str, str]
    added: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """Those that hold what was asked or answered."""
        kinds = (_TURNS, "VARCHAR", "VARCHAR[]")
        return [name for name in _TEXTS if self.types.get(name) in kinds]


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database that lasts for one comparison."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="prefmill-diff-") as folder:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY,
            "temp_directory": folder,
            "autoinstall_known_extensions": False,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=settings) as connection:
            yield connection


def load(
    connection: duckdb.DuckDBPyConnection, old: DatasetFolder, new: DatasetFolder, config: str
) -> Columns:
    """Lay both sides of a config side by side.

    Raises:
        InputError: files are missing or damaged, or row_ids are there twice.
    """
    for side, folder in zip(SIDES, (old, new), strict=True):
        _open(connection, side, folder, config)
    columns = _columns(connection)
    for side, folder in zip(SIDES, (old, new), strict=True):
        _condense(connection, side, columns)
        _check(connection, side, folder, config)
    return columns


def _open(
    connection: duckdb.DuckDBPyConnection, side: str, folder: DatasetFolder, config: str
) -> None:
    reads = []
    for split in folder.splits(config):
        shards = folder.shards(config, split)
        if not shards:
            raise InputError(
                f"{folder.path}: its manifest names the split `{split}` of `{config}`, and there "
                "is no file of it. Fetch the whole dataset, or run its recipe again."
            )
        listed = ", ".join(quoted(str(path)) for path in shards)
        reads.append(f"SELECT *, {quoted(split)} AS _split FROM read_parquet([{listed}])")
    union = " UNION ALL BY NAME ".join(reads)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {side}_files AS {union}")


def _columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    old, new = (
        {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {side}_files").fetchall()}
        for side in SIDES
    )
    own = {ROW_ID.name, "_split"}
    same = {name: kind for name, kind in new.items() if old.get(name) == kind and name not in own}
    return Columns(
        same,
        tuple(name for name in new if name not in {*same, *own}),
        tuple(name for name in old if name not in {*same, *own}),
    )


def _condense(connection: duckdb.DuckDBPyConnection, side: str, columns: Columns) -> None:
    names = list(columns.types)
    parts = [ROW_ID.name, "_split"]
    parts += [f"hash({named(name)}) AS h{i}" for i, name in enumerate(names)]
    parts += [
        f"{_length(name, columns.types[name])} AS n{i}" for i, name in enumerate(columns.texts)
    ]
    prompt = _prompt(columns)
    pair, label = _pair(columns, prompt)
    parts += [f"{prompt} AS _prompt", f"{pair} AS _pair", f"{label} AS _label"]
    select = ", ".join(parts)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {side}_rows AS SELECT {select} FROM {side}_files"
    )


def _length(name: str, kind: str) -> str:
    """Characters of a text, or of all turns; of several answers a list."""
    column = named(name)
    if kind == "VARCHAR":
        return f"length({column})"
    if kind == "VARCHAR[]":
        return f"list_transform({column}, lambda t: length(t))"
    return f"list_sum(list_transform({column}, lambda t: length(t.content)))::BIGINT"


def _prompt(columns: Columns) -> str:
    """What a prompt is told by: its turns without those of the system, as the splits have it."""
    types = columns.types
    if types.get("prompt") == _TURNS:
        return _turns("prompt")
    if types.get("chosen") == _TURNS:
        return _turns("chosen[:-2]")  # a whole conversation, its last turn the answer
    return "hash(text)" if types.get("text") == "VARCHAR" else "NULL::UBIGINT"


def _turns(conversation: str) -> str:
    spoken = f"list_filter({conversation}, lambda t: t.role <> 'system')"
    return f"hash(list_transform({spoken}, lambda t: (t.role, t.content)))"


def _pair(columns: Columns, prompt: str) -> tuple[str, str]:
    """What a labelled pair, or answer, is told by whatever its label, and the label."""
    types = columns.types
    if types.get("chosen") == types.get("rejected") == _TURNS:
        chosen, rejected = (_contents(name) for name in ("chosen", "rejected"))
        both = f"least({chosen}, {rejected}), greatest({chosen}, {rejected})"
        return f"hash(({prompt}, {both}))", f"{chosen} < {rejected}"
    if (types.get("completion"), types.get("label")) == (_TURNS, "BOOLEAN"):
        return f"hash(({prompt}, {_contents('completion')}))", "label"
    return "NULL::UBIGINT", "NULL::BOOLEAN"


def _contents(name: str) -> str:
    return f"hash(list_transform({name}, lambda t: t.content))"


def _check(
    connection: duckdb.DuckDBPyConnection, side: str, folder: DatasetFolder, config: str
) -> None:
    """Hold the rows to the manifest, and row_ids to being there once."""
    query = f"SELECT count(*), count(DISTINCT row_id) FROM {side}_rows"
    rows, different = one_row(connection, query)
    told = sum(folder.splits(config).values())
    if rows != told:
        raise InputError(
            f"{folder.path}: `{config}` has {rows:,} rows and its manifest says {told:,}: it was "
            "changed since it was written. Run its recipe again, or fetch it anew."
        )
    if different != rows:
        raise InputError(
            f"{folder.path}: `{config}` has {rows - different:,} rows whose row_id another one "
            "has: what became of them cannot be told. Was it put together by hand?"
        )


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The only row of a query's result."""
    found: tuple[Any, ...] | None = connection.execute(query).fetchone()
    assert found is not None, "an aggregate has one row"
    return found


def named(column: str) -> str:
    """A column's name in SQL."""
    return '"' + column.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"
