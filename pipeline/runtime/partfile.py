"""The file of one part: rows, rejects and, at its end, what proves that it is whole.

    rows        Arrow IPC stream, zstd; plain where it is to be mapped, not read
    rejects     Arrow IPC stream, zstd
    footer      JSON: key, XXH3 of all before it, length of the rows, the part's report
    trailer     length and BLAKE2b of the footer, magic

Read from its end: a file that was cut, or written over in one bit, is no part.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import xxhash

from pipeline.runtime.reports import PartReport
from schemas.batch import Reject

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2
"""Of a part file and of the folder around it. Raised when an older prefmill could not read it."""

_MAGIC = b"PREFMILL"
_XXH3 = "xxh3:"
_TRAILER = struct.Struct("<q16s8s")
TRAILER_BYTES = _TRAILER.size


@dataclass(frozen=True, slots=True)
class Footer:
    """What the end of a part file says about it."""

    key: str
    checksum: str
    rows_bytes: int
    body_bytes: int
    report: PartReport


def encode_part(
    key: str, report: PartReport, rows: pa.Table, rejects: pa.Table, *, plain: bool = False
) -> tuple[list[Any], int]:
    """The file of a part as pieces to be written one after another, and their size in bytes."""
    body = [_stream(rows, None if plain else "zstd"), _stream(rejects, "zstd")]
    footer = {
        "key": key,
        "checksum": _checksum(body),
        "rows_bytes": len(body[0]),
        "body_bytes": sum(map(len, body)),
        "report": asdict(report),
    }
    text = json.dumps(footer, ensure_ascii=False).encode()
    pieces = [*body, text, _TRAILER.pack(len(text), _digest(text), _MAGIC)]
    return pieces, sum(map(len, pieces))


def footer_length(trailer: memoryview) -> int | None:
    """Bytes of the footer that stands before this trailer; None if it is no trailer."""
    if len(trailer) != TRAILER_BYTES:
        return None
    length, _, magic = _TRAILER.unpack(trailer)
    return int(length) if magic == _MAGIC and length > 0 else None


def decode_footer(footer_and_trailer: memoryview) -> Footer | None:
    """The footer, if it is as it was written."""
    text = bytes(footer_and_trailer[:-TRAILER_BYTES])
    _, wanted, _ = _TRAILER.unpack(footer_and_trailer[-TRAILER_BYTES:])
    if _digest(text) != wanted:
        return None
    value = json.loads(text)
    return Footer(**{**value, "report": PartReport.from_json(value["report"])})


def is_whole(footer: Footer, body: memoryview) -> bool:
    """Whether the rows and rejects are what the footer says."""
    if len(body) != footer.body_bytes:
        return False
    if footer.checksum.startswith(_XXH3):
        return _checksum([body]) == footer.checksum
    return hashlib.blake2b(body, digest_size=16).hexdigest() == footer.checksum  # of older runs


def rows_of(footer: Footer, body: memoryview) -> pa.Table:
    """The rows in the body of a part file."""
    return _table(body[: footer.rows_bytes])


def rejects_of(footer: Footer, body: memoryview) -> pa.Table:
    """The rejects in the body of a part file."""
    return _table(body[footer.rows_bytes :])


def reject_table(rejects: Sequence[Reject]) -> pa.Table:
    """Rejects as an Arrow table; text that UTF-8 cannot hold is kept in escaped form."""
    import pyarrow as pa

    names = ("row_id", "code", "message", "raw", "response_id")
    values = {name: [_storable(getattr(reject, name)) for reject in rejects] for name in names}
    return pa.table(values, schema=pa.schema([(name, pa.string()) for name in names]))


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _stream(table: pa.Table, compression: str | None) -> memoryview:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


def _table(stream: memoryview) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_stream(pa.py_buffer(stream)).read_all()


def _checksum(pieces: Sequence[memoryview]) -> str:
    """XXH3 of 128 bits: against disks and crashes, not forgers, at the speed of memory."""
    found = xxhash.xxh3_128()
    for piece in pieces:
        found.update(piece)
    return _XXH3 + found.hexdigest()


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()
