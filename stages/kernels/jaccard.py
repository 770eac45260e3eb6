"""Exact Jaccard similarity of sets that stay where they are: in memory-mapped Arrow buffers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import types
from numba.extending import intrinsic

from stages.kernels.jit import kernel
from stages.kernels.tokens import Hashes, Ints


class Sets(NamedTuple):
    """Sets of ascending u64 hashes by their address. The column must outlive them.

    Attributes:
        addresses: u64[n], where each set begins.
        lengths: i64[n], its members.
    """

    addresses: Hashes
    lengths: Ints

    def of(self, rows: Ints) -> Sets:
        """The sets of some rows, in their order."""
        return Sets(self.addresses[rows], self.lengths[rows])


def sets_of(column: pa.ChunkedArray) -> Sets:
    """The sets of a column of large_list<uint64> without nulls, however it is cut; no copy."""
    addresses, lengths = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for chunk in column.chunks:
        offsets = chunk.offsets.to_numpy()
        values = chunk.values
        base = values.buffers()[1].address + 8 * values.offset
        addresses.append((base + 8 * offsets[:-1]).astype(np.uint64))
        lengths.append(np.diff(offsets))
    return Sets(np.concatenate(addresses), np.concatenate(lengths))


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    """The hashes at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.uint64)(types.uint64), generate


@kernel()
def jaccard(sets: Sets, first: int, second: int) -> float:
    """|A and B| / |A or B| of two sets that are not empty."""
    left, right = _pointer(sets.addresses[first]), _pointer(sets.addresses[second])
    n_left, n_right = sets.lengths[first], sets.lengths[second]
    i = j = shared = 0
    while i < n_left and j < n_right:
        a, b = left[i], right[j]
        # No branches: which of two hashes is the smaller, nothing predicts.
        shared += a == b
        i += a <= b
        j += b <= a
    similarity: float = shared / (n_left + n_right - shared)
    return similarity


@kernel(inline="always")
def may_reach(sets: Sets, first: int, second: int, threshold: float) -> bool:
    """False if the sizes of two sets alone keep them below the threshold."""
    first_length, second_length = sets.lengths[first], sets.lengths[second]
    most: float = min(first_length, second_length) / max(first_length, second_length)
    return most >= threshold
