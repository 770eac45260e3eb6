"""Readers of Parquet and Arrow files, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.inputs.records.base import Record, check_fields, reading
from schemas.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1024


def read_parquet(path: Path, name: str, fields: Sequence[str]) -> Iterator[Record]:
    """Rows of a Parquet file; only the wanted columns are read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        check_fields(name, fields, file.schema_arrow.names)
        yield from _records(name, file.iter_batches(_BATCH_ROWS, columns=list(fields) or None))


def read_arrow(path: Path, name: str, fields: Sequence[str]) -> Iterator[Record]:
    """Rows of an Arrow IPC file or stream, whichever it is (Feather v2 is the former)."""
    import pyarrow as pa

    with pa.OSFile(str(path)) as source:
        file = _opened(source)
        schema = file.schema
        check_fields(name, fields, schema.names)
        wanted = list(fields) or schema.names
        yield from _records(name, (batch.select(wanted) for batch in _batches(file)))


def read_table(path: Path, name: str, kind: str) -> pa.Table:
    """A whole Parquet or Arrow file, metadata of its schema included.

    Raises:
        InputError: it is neither, or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(name):
        if kind == "parquet":
            return pq.read_table(path)
        if kind == "arrow":
            with pa.memory_map(str(path)) as source:
                return _opened(source).read_all()
    raise InputError(f"{name}: a Parquet or Arrow file is wanted here, not {kind}")


def _opened(source: pa.NativeFile) -> pa.RecordBatchReader | pa.RecordBatchFileReader:
    """A reader of an Arrow IPC file or stream, whichever it is."""
    import pyarrow as pa

    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)


def _batches(
    reader: pa.RecordBatchReader | pa.RecordBatchFileReader,
) -> Iterator[pa.RecordBatch]:
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader


def _records(name: str, batches: Iterable[pa.RecordBatch]) -> Iterator[Record]:
    row = 0
    for batch in batches:
        for index in range(batch.num_rows):
            row += 1
            yield _record(f"{name}:{row}", batch.slice(index, 1))


def _record(place: str, row: pa.RecordBatch) -> Record:
    try:
        return Record(place, row.to_pylist()[0])
    except UnicodeDecodeError as error:  # Arrow does not check texts when it reads them
        return Record(place, {}, f"bad_record: a text is not UTF-8: {error.reason}")
