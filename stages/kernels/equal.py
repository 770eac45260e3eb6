"""Which hashes are equal, by a table of places: in one pass, where sorting takes many."""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import kernel
from stages.kernels.tokens import Hashes, Ints

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: Fibonacci hashing


@kernel()
def first_equal(first: Hashes, second: Hashes) -> Ints:
    """i64[n]: the first place with the same 128 bits, its own if none before has them.

    Args:
        first, second: u64[n], n < 2**30, the halves; those of `first` should seldom be equal where
            the whole is not.
    """
    bits = 4
    while (1 << bits) < 2 * len(first):  # at most half full
        bits += 1
    shift, last = np.uint64(64 - bits), (1 << bits) - 1
    table = np.full(last + 1, -1, np.int32)
    found = np.empty(len(first), np.int64)
    for place in range(len(first)):
        slot = np.int64((first[place] * _SPREAD) >> shift)
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = other = place
                break
            if first[other] == first[place] and second[other] == second[place]:
                break
            slot = (slot + 1) & last
        found[place] = other
    return found
