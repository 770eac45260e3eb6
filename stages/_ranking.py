"""Places of rows among all, with a total order: no two rows stand equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from schemas.columns import ROW_ID

if TYPE_CHECKING:
    import pyarrow as pa

RANK = "rank"


def ranked(sketches: pa.Table, by: str, order: Literal["ascending", "descending"]) -> pa.Table:
    """The row_ids in their order, each with its place from 0 by a column; ties go by row_id.

    Nulls and NaN stand last.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = [(by, order), (ROW_ID.name, "ascending")]
    indices = pc.sort_indices(sketches.select([by, ROW_ID.name]), sort_keys=keys).to_numpy()
    places = np.empty(len(indices), dtype=np.int64)
    places[indices] = np.arange(len(indices))
    return sketches.select([ROW_ID.name]).append_column(RANK, pa.array(places))
