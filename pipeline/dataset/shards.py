"""Rows into Parquet shards, named and sized as the Hugging Face Hub has them.

The same rows give the same bytes, however they were cut into parts: row groups have a fixed number
of rows, and shards are cut by the bytes written. Content-defined chunking keeps unchanged stretches
byte for byte from one release to the next, which makes uploads to the Hub cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 4096
"""Some tens of MB uncompressed for pairs of long answers."""

SHARD_BYTES = 400 * 10**6
"""A shard ends after the row group that passes this; shards so stay below 500 MB."""

_CHUNKING_SINCE = 21  # pyarrow


def row_groups(
    tables: Iterable[pa.Table], schema: pa.Schema, size: int = ROW_GROUP_ROWS
) -> Iterator[pa.Table]:
    """The same rows in tables of `size`; the last may be smaller, and there is always one."""
    import pyarrow as pa

    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows > size:
            yield waiting.slice(0, size).combine_chunks()
            waiting = waiting.slice(size)
    yield waiting.combine_chunks()


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
