"""The most similar rows seen so far, kept for each row in a heap: the inner loops of `neighbours`.

A heap is a row of two arrays [n, k], similarity and place, with what would leave first at the root:
the least similar, of equals the one that stands last. Places are `n` where nothing was seen yet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.kernels.jit import kernel

Floats = NDArray[np.float32]
Places = NDArray[np.int32]


@kernel(inline="always")
def _leaves_first(s: float, i: int, other_s: float, other_i: int) -> bool:
    return s < other_s or (s == other_s and i > other_i)


@kernel()
def _replace_root(index: Any, similarity: Any, s: float, i: int) -> None:
    """Put (s, i) where the root was and let it sink to its place."""
    at, k = 0, len(index)
    while True:
        child = 2 * at + 1
        if child >= k:
            break
        right = child + 1
        if right < k and _leaves_first(
            similarity[right], index[right], similarity[child], index[child]
        ):
            child = right
        if not _leaves_first(similarity[child], index[child], s, i):
            break
        similarity[at], index[at] = similarity[child], index[child]
        at = child
    similarity[at], index[at] = s, i


@kernel()
def _see(index: Any, similarity: Any, s: float, place: int, row: int) -> None:
    if place != row and _leaves_first(similarity[0], index[0], s, place):
        _replace_root(index, similarity, s, place)


@kernel()
def offer(product: Any, rows: int, columns: int, index: Any, similarity: Any) -> None:
    """Let the rows of two blocks see each other, or those of one block among themselves.

    Args:
        product: similarities float32, [rows of a block, rows of a block].
        rows: place of the product's first row.
        columns: place of its first column: `rows`, or past all of its rows.
        index: the heaps' places int32 [n, k], updated.
        similarity: the heaps' similarities float32 [n, k], updated.
    """
    n = len(index)
    n_columns = min(product.shape[1], n - columns)
    # A copy: the roots themselves lie too far apart to be compared with a row of the product.
    least = similarity[columns : columns + n_columns, 0].copy()
    for row in range(rows, min(rows + product.shape[0], n)):
        least_here = similarity[row, 0]
        for c in range(n_columns):
            s = product[row - rows, c]
            if s >= least_here:
                _see(index[row], similarity[row], s, columns + c, row)
                least_here = similarity[row, 0]
            if s >= least[c] and rows != columns:
                _see(index[columns + c], similarity[columns + c], s, row, columns + c)
                least[c] = similarity[columns + c, 0]


# Sums may be made in any order, so in vectors: of doubles, which leaves a float as it is.
@kernel(fastmath={"reassoc", "contract"})
def _dot(a: Any, b: Any) -> float:
    total = 0.0
    for d in range(len(a)):
        total += np.float64(a[d]) * np.float64(b[d])
    return total


@kernel()
def squares(x: Any) -> Any:
    """The squared length of each row of `x` [n, d], float64 [n]."""
    found = np.empty(len(x), dtype=np.float64)
    for row in range(len(x)):
        found[row] = _dot(x[row], x[row])
    return found


@kernel()
def cosines(x: Any, squared: Any, i: Any, j: Any) -> Any:
    """Cosine of each pair of rows `i` and `j` of `x` [n, d], of which `squared` are the `squares`.

    Returns:
        float32 [len(i)]; exactly 1 for rows that are the same.
    """
    found = np.empty(len(i), dtype=np.float32)
    for p in range(len(i)):
        found[p] = _dot(x[i[p]], x[j[p]]) / np.sqrt(squared[i[p]] * squared[j[p]])
    return found


def sort_rows(index: Places, similarity: Floats, exact: Floats) -> None:
    """Write the similarities `exact` in place of those found, each row sorted: highest first."""
    order = np.lexsort((index, -exact), axis=-1)
    index[:] = np.take_along_axis(index, order, axis=1)
    similarity[:] = np.take_along_axis(exact, order, axis=1)
