"""Rows into Parquet shards, named and sized as the Hugging Face Hub has them.

The same rows give the same bytes, however they were cut into parts: row groups have a fixed number
of rows, or half of it and so on where rows are large, and shards are cut by the bytes written.
Content-defined chunking keeps unchanged stretches byte for byte from one release to the next, which
makes uploads to the Hub cheap: of a file in which one early row is gone, half stays as it was, and
next to nothing without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 4096
"""Some tens of MB uncompressed for pairs of long answers."""

GROUP_BYTES = 100 * 10**6
"""A row group is no larger before it is compressed, unless a single row is."""

SHARD_BYTES = 400 * 10**6
"""A shard ends after the row group that passes this; shards so stay below 500 MB."""

_CHUNKING_SINCE = 21  # pyarrow


def row_groups(
    tables: Iterable[pa.Table], schema: pa.Schema, size: int = ROW_GROUP_ROWS
) -> Iterator[pa.Table]:
    """The same rows in tables of `size` or of a half, a quarter and so on of it where they would
    be larger than `GROUP_BYTES`; the last may be smaller, and there is always one.
    """
    import pyarrow as pa

    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows > size or _is_large(waiting, 2 * GROUP_BYTES):
            group = _first_group(waiting, size)
            yield group
            waiting = waiting.slice(group.num_rows)
    while _is_large(waiting, GROUP_BYTES):
        group = _first_group(waiting, size)
        yield group
        waiting = waiting.slice(group.num_rows)
    yield waiting.combine_chunks()


def _is_large(table: pa.Table, limit: int) -> bool:
    return bool(table.num_rows > 1 and table.nbytes > limit)


def _first_group(table: pa.Table, size: int) -> pa.Table:
    """The first rows: as many halvings of `size` as it takes. Whatever comes after plays no part,
    so it does not matter how the rows came.
    """
    group = table.slice(0, size).combine_chunks()
    while size > max(table.num_rows, 1) or _is_large(group, GROUP_BYTES):
        size //= 2
        group = table.slice(0, size).combine_chunks()
    return group


def write_shards(
    folder: Path, split: str, schema: pa.Schema, groups: Iterator[pa.Table]
) -> list[Path]:
    """Write `<split>-00000-of-000NN.parquet` and so on; returns them, one at least."""
    shards: list[Path] = []
    group = next(groups, None)
    while group is not None:
        shards.append(folder / f"{len(shards):05d}.parquet")
        group = _write_shard(shards[-1], schema, group, groups)
    total = len(shards)
    return [
        path.rename(folder / f"{split}-{index:05d}-of-{total:05d}.parquet")
        for index, path in enumerate(shards)
    ]


def _write_shard(
    path: Path, schema: pa.Schema, first: pa.Table, more: Iterator[pa.Table]
) -> pa.Table | None:
    """Write `first` and more row groups until the shard is full; returns the next, if any."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"compression": "zstd", "write_page_index": True}
    if int(pa.__version__.split(".")[0]) >= _CHUNKING_SINCE:
        options["use_content_defined_chunking"] = True
    group: pa.Table | None = first
    with path.open("wb") as file, pq.ParquetWriter(file, schema, **options) as writer:
        while group is not None and file.tell() < SHARD_BYTES:
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            group = next(more, None)
    return group
