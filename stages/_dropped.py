"""The rows that a choice among all leaves behind, one by one: each is owed its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from schemas.batch import Row
from stages._texts import TextName, texts_of

if TYPE_CHECKING:
    import pyarrow as pa


def dropped(
    rows: pa.Table, decision: pa.Table, stays: pa.ChunkedArray, names: Sequence[TextName]
) -> Iterator[tuple[Row, str, pa.Table]]:
    """Of each row that does not stay: what was decided, its texts, and the row as a table of one.

    Args:
        rows: of one part.
        decision: on them, in their order.
        stays: true, or false; no nulls.
        names: of the texts.
    """
    import pyarrow.compute as pc

    gone = pc.invert(stays)
    left = rows.filter(gone)
    texts = texts_of(left, names).to_pylist()
    for place, verdict in enumerate(decision.filter(gone).to_pylist()):
        yield verdict, texts[place], left.slice(place, 1)
