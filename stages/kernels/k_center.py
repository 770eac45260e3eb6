"""Keep rows such that no row is far from all of them: greedy k-center, the farthest first.

Distance is 1 - cosine. The largest distance of a row to the nearest kept one is, as an angle's
chord, at most twice the least that is possible with so many rows (Gonzalez, 1985).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.falling_gains import take_greedily

FIRST = 2.0
"""The distance that the first row is said to have: the largest there is."""


def farthest_first(
    x: NDArray[np.float32], n_kept: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Take the row farthest from those taken; the first is the one nearest to the mean.

    Args:
        x: rows of length one [n, d].
        n_kept: at least 1, at most n.

    Returns:
        Places in the order taken, int32, and the distance of each to the nearest taken before.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    first = int(np.argmax(x @ mean))
    gains = np.full(len(x), FIRST)
    gains[first] = np.inf

    order, distances = take_greedily(
        x, gains, n_kept, lambda place, _: x[place].astype(np.float64), _nearer
    )
    distances[0] = FIRST
    return order, distances


def _nearer(distances: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
    # Rounded: rows that are the same are then as far, whichever product found it.
    new = (1 - products.max(axis=1)).astype(np.float32)
    nearer: NDArray[np.float64] = np.minimum(distances, new)
    return nearer
