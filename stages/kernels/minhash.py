"""MinHash signatures of sets of hashes, and the bands in which similar ones meet.

Permutation k maps the upper 32 bits x of a hash to a_k x + b_k mod 2^32 with a_k odd; a signature
holds the least value under each (Broder, 1997). Bands of rows: Leskovec, Rajaraman, Ullman, Mining
of Massive Datasets, 3.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.jit import kernel
from stages.kernels.tokens import Hashes, Ints, mix

Words = NDArray[np.uint32]

_LANES = 32


def permutations(num_perm: int, seed: int) -> tuple[Words, Words]:
    """(a u32[num_perm], b u32[num_perm]), drawn by SplitMix64 from the seed."""
    drawn = _draw(np.uint64(seed), num_perm)
    return (drawn >> np.uint64(32)).astype(np.uint32) | np.uint32(1), drawn.astype(np.uint32)


@kernel()
def _draw(seed: np.uint64, count: int) -> Hashes:
    drawn = np.empty(count, np.uint64)
    state = mix(seed)
    for k in range(count):
        state = mix(state)
        drawn[k] = state
    return drawn


def signatures(starts: Ints, hashes: Hashes, factors: Words, summands: Words) -> Words:
    """u32[n, num_perm]: of set i, the ascending hashes[starts[i]:starts[i + 1]], none empty."""
    rows, num_perm = len(starts) - 1, len(factors)
    lanes = -(-num_perm // _LANES) * _LANES
    padding = (0, lanes - num_perm)
    out = np.empty((rows, lanes), np.uint32)
    _sign(starts, hashes, np.pad(factors, padding), np.pad(summands, padding), out)
    return out[:, :num_perm]


@kernel()
def _sign(starts: Ints, hashes: Hashes, factors: Words, summands: Words, out: Words) -> None:
    least = np.empty(_LANES, np.uint32)
    for row in range(len(starts) - 1):
        # As many permutations at a time as registers hold.
        for first in range(0, len(factors), _LANES):
            a, b = factors[first : first + _LANES], summands[first : first + _LANES]
            least[:] = np.uint32(0xFFFFFFFF)
            for place in range(starts[row], starts[row + 1]):
                value = np.uint32(hashes[place] >> np.uint64(32))
                for k in range(_LANES):
                    least[k] = min(least[k], np.uint32(a[k] * value + b[k]))
            out[row, first : first + _LANES] = least


@kernel()
def band_hashes(signed: Words, bands: int, rows: int) -> Hashes:
    """u64[bands, n]: a hash of each band of each signature."""
    out = np.empty((bands, len(signed)), np.uint64)
    for row in range(len(signed)):
        for band in range(bands):
            hashed = np.uint64(band)
            for k in range(band * rows, (band + 1) * rows):
                hashed = mix(hashed ^ np.uint64(signed[row, k]))
            out[band, row] = hashed
    return out
