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

        Raises:
            ValueError: the vectors are not of one length.
        """
        chunks = [chunk.drop_null() for chunk in column.chunks]
        chunks = [chunk for chunk in chunks if len(chunk)]
        lengths = {int(n) for c in chunks for n in np.unique(pc.list_value_length(c).to_numpy())}
        if len(lengths) > 1:
            raise ValueError(f"vectors of {min(lengths)} and of {max(lengths)} numbers")
        self.dimensions = lengths.pop() if lengths else 0
        self._parts = [c.flatten().to_numpy().reshape(len(c), self.dimensions) for c in chunks]
        self._ends = np.cumsum([len(part) for part in self._parts], dtype=np.int64)

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
