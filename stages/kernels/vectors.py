"""Rows of a column of vectors, taken from where they lie."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


def usable_vectors(column: pa.ChunkedArray, *, directed: bool = False) -> pa.ChunkedArray:
    """Vectors in single precision, null where one is null, empty or not finite.

    Args:
        column: lists of numbers.
        directed: null too where all numbers are zero.
    """
    narrow = column.cast(pa.list_(pa.float32()), safe=False)
    return pa.chunked_array([_usable(chunk, directed) for chunk in narrow.chunks], narrow.type)


def _usable(chunk: pa.ListArray, directed: bool) -> pa.ListArray:
    numbers = chunk.flatten().to_numpy(zero_copy_only=False)
    parents = pc.list_parent_indices(chunk).to_numpy(zero_copy_only=False)
    # Of numbers that are not finite there must be none; of those that are not zero, one.
    bad = np.bincount(parents[~np.isfinite(numbers)], minlength=len(chunk)) > 0
    wanted = parents[numbers != 0] if directed else parents
    return pc.if_else(pa.array((np.bincount(wanted, minlength=len(chunk)) > 0) & ~bad), chunk, None)


class Vectors:
    """The vectors of a column that are not null, numbered in its order; none is copied.

    Attributes:
        dimensions: 0 if there are none.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        """Look at the column's lengths alone.

        Args:
            column: as `usable_vectors` makes it, where a null holds no numbers.

        Raises:
            ValueError: the vectors are not of one length.
        """
        counts = pc.list_value_length(column).drop_null().unique().to_pylist()
        if len(counts) > 1:
            raise ValueError(f"vectors of {min(counts)} and of {max(counts)} numbers")
        self.dimensions = int(counts[0]) if counts else 0
        self._parts = [self._part(chunk) for chunk in column.chunks] if counts else []
        self._ends = np.cumsum([len(part) for part in self._parts], dtype=np.int64)

    def _part(self, chunk: pa.ListArray) -> Floats:
        # Flattening would copy a chunk for one null in it.
        first, last = (chunk.offsets[end].as_py() for end in (0, len(chunk)))
        numbers: Floats = chunk.values.slice(first, last - first).to_numpy()
        return numbers.reshape(-1, self.dimensions)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def take(self, places: Places) -> Floats:
        """The vectors at these places [len(places), dimensions]."""
        taken = np.empty((len(places), self.dimensions), dtype=np.float32)
        parts = np.searchsorted(self._ends, places, side="right")
        for part in np.unique(parts):
            mine = parts == part
            start = self._ends[part] - len(self._parts[part])
            taken[mine] = self._parts[part][places[mine] - start]
        return taken
