"""How well the rows that are kept stand for all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.kernels.near_heaps import cosines, squares
from stages.kernels.neighbours import Floats, Places, threads

_BLOCK = 1024


def nearest_kept(x: Floats, kept: NDArray[np.int32]) -> tuple[Places, Floats]:
    """The kept row most similar to each row, itself if it is kept.

    Args:
        x: rows of length one [n, d].
        kept: places of at least one of them.

    Returns:
        Places int32 and similarities float32, both [n]. Of equally similar rows that one which
        stands first.
    """
    kept = np.sort(kept)
    chosen, squared = x[kept], squares(x)
    places = np.empty(len(x), dtype=np.int32)
    similarity = np.empty(len(x), dtype=np.float32)

    def look(start: int) -> None:
        rows = slice(start, min(start + _BLOCK, len(x)))
        best = np.full(rows.stop - start, -np.inf, dtype=np.float32)
        for first in range(0, len(chosen), _BLOCK):
            product = x[rows] @ chosen[first : first + _BLOCK].T
            highest = product.argmax(axis=1)
            values = np.take_along_axis(product, highest[:, None], axis=1)[:, 0]
            is_nearer = values > best
            best[is_nearer] = values[is_nearer]
            places[rows][is_nearer] = kept[first + highest[is_nearer]]
        similarity[rows] = cosines(x, squared, np.arange(start, rows.stop), places[rows])

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
        list(pool.map(look, range(0, len(x), _BLOCK)))
    places[kept], similarity[kept] = kept, 1
    return places, similarity
