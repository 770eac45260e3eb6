"""Rows by their `order`, of which a fraction is in memory at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.columns import ROW_ID
from schemas.layouts import ORDER, ORDER_BITS

if TYPE_CHECKING:
    import pyarrow as pa

_BUCKET_BITS = 6
"""64 files: `order` is spread evenly, so each holds about as many rows."""


def in_order(tables: Iterable[pa.Table], scratch: Path) -> Iterator[pa.Table]:
    """All rows by `order`, then row_id.

    Args:
        tables: the rows in any order.
        scratch: a folder to be made, and gone when the rows have been read.
    """
    import pyarrow as pa

    scratch.mkdir(parents=True)
    try:
        for path in _spread(tables, scratch):
            with pa.memory_map(str(path)) as file:
                rows = pa.ipc.open_stream(file).read_all()
                yield rows.sort_by([(ORDER.name, "ascending"), (ROW_ID.name, "ascending")])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _spread(tables: Iterable[pa.Table], scratch: Path) -> list[Path]:
    """Write each row to the file of its bucket; returns the files in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    writers: dict[int, Any] = {}
    try:
        for table in tables:
            bucket = pc.shift_right(table.column(ORDER.name), ORDER_BITS - _BUCKET_BITS)
            for number in pc.unique(bucket).to_pylist():
                if number not in writers:
                    path = str(scratch / f"{number:02d}")
                    writers[number] = pa.ipc.new_stream(path, table.schema)
                writers[number].write_table(table.filter(pc.equal(bucket, number)))
    finally:
        for writer in writers.values():
            writer.close()
    return [scratch / f"{number:02d}" for number in sorted(writers)]
