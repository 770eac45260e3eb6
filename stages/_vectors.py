"""Rows with their embeddings, on the way to a decision about all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.batch import Reject, Row
from schemas.columns import ROW_ID, Column
from schemas.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from stages.kernels.vectors import Vectors


def vectors_in(sketches: pa.Table, name: str, stage: str) -> Vectors:
    """The vectors of a sketch's column.

    Raises:
        InputError: they differ in length, so that they are not of one model.
    """
    from stages.kernels.vectors import Vectors

    try:
        return Vectors(sketches.column(name))
    except ValueError as error:
        raise InputError(
            f"{stage}: the rows have {error} as their embeddings, which can be compared with none "
            "of another length. Embed all of them by one model."
        ) from error


def unusable(row: Row, columns: Sequence[Column], raw: str) -> Reject:
    """Why a row has no vector in its sketch, the first of its embeddings to blame."""
    row_id = row[ROW_ID.name]
    for column in columns:
        values = row[column.name]
        if not values:
            return Reject(row_id, "no_embedding", f"`{column.name}` holds no number", raw)
        # Beyond single precision, in which embeddings are compared, is as good as infinite.
        bad = next((value for value in values if not abs(value) <= _LARGEST), None)
        if bad is not None:
            message = f"`{column.name}` holds {bad:g}; allowed are numbers up to {_LARGEST:.3g}"
            return Reject(row_id, "not_finite", message, raw)
    names = ", ".join(f"`{column.name}`" for column in columns)
    return Reject(row_id, "zero_embedding", f"{names} is zero: it has no direction", raw)


_LARGEST = math.ldexp(2 - 2**-23, 127)
"""Largest number in single precision."""
