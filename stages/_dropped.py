"""The rows that a choice among all leaves behind, one by one: each is owed its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from schemas.batch import Row
from stages._texts import TextName, text_columns, texts_of

if TYPE_CHECKING:
    import pyarrow as pa


def dropped(
    rows: pa.Table, decision: pa.Table, stays: pa.ChunkedArray, names: Sequence[TextName]
) -> Iterator[tuple[Row, str, Callable[[], pa.Table]]]:
    """Of each row that does not stay: what was decided, its texts, and what cuts it out as a table.

    Most reasons are in the decision; the rest of a row, such as an embedding, is not touched.

    Args:
        rows: of one part.
        decision: on them, in their order.
        stays: true, or false; no nulls.
        names: of the texts.
    """
    import pyarrow.compute as pc

    gone = pc.invert(stays)
    columns = [column.name for column in text_columns(names)]
    texts = texts_of(rows.select(columns).filter(gone), names).to_pylist()
    verdicts = decision.filter(gone).to_pylist()
    places = pc.indices_nonzero(gone).to_pylist()
    for place, verdict, text in zip(places, verdicts, texts, strict=True):
        yield verdict, text, partial(rows.slice, place, 1)
