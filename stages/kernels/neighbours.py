"""Which rows lie near each other: exact cosine similarity between all, in blocks.

The similarities of two blocks of rows are one BLAS product, made once for both of them and looked
through while it is in the cache; threads take the products in turn. That needs no index to be built
and half the time of a flat one of faiss 1.15, which computes each similarity twice: 14 CPU-seconds
against 29 for the 32 nearest of 50,000 rows in 384 dimensions.

BLAS has one thread for a product and all have the same shape, so what comes out depends neither on
the number of threads nor on where a row stands. What is returned is computed anew in double
precision; only rows whose similarities differ by less than 1e-6 may change places on another
processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Lock

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.kernels.near_heaps import cosines, offer, sort_rows, squares

Floats = NDArray[np.float32]
Places = NDArray[np.int32]

_BLOCK = 1024
"""Rows of a block: two blocks and their product fit in a core's cache."""
_SLACK = 1e-5
"""More than a similarity in single precision is off by in some thousand dimensions."""


def unit(x: Floats) -> Floats:
    """Rows `x` [n, d] scaled to length one, as float32.

    Raises:
        ValueError: a row is zero or not finite, so it has no direction; names the first.
    """
    scaled = np.empty(x.shape, dtype=np.float32)
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK].astype(np.float64)
        norms = np.sqrt(np.einsum("nd,nd->n", block, block))
        bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
        if len(bad):
            why = "is zero" if norms[bad[0]] == 0 else "holds a value that is not finite"
            raise ValueError(f"row {start + bad[0]} {why}: it has no direction")
        scaled[start : start + _BLOCK] = block / norms[:, None]
    return scaled


def nearest(x: Floats, k: int) -> tuple[Places, Floats]:
    """The `k` rows most similar to each, itself left out.

    Args:
        x: [n, d], rows of length one.
        k: with more than n - 1, all other rows are returned.

    Returns:
        Places int32 and similarities float32, both [n, min(k, n - 1)]: the most similar first, and
        of equally similar rows the one that stands first.
    """
    n = len(x)
    k = max(0, min(k, n - 1))
    index = np.full((n, k), n, dtype=np.int32)
    similarity = np.full((n, k), -np.inf, dtype=np.float32)
    if k == 0:
        return index, similarity
    starts, squared = range(0, n, _BLOCK), squares(x)
    locks = {start: Lock() for start in starts}

    def look(pair: tuple[int, int]) -> None:
        first, second = pair
        product = _product(x, first, second)
        # The heaps order rows totally, so it is no matter which product comes first.
        with locks[first], locks[second] if first != second else nullcontext():
            offer(product, first, second, index, similarity)

    def finish(start: int) -> None:
        rows = slice(start, min(start + _BLOCK, n))
        ids = np.arange(rows.start, rows.stop, dtype=np.int32)
        exact = cosines(x, squared, np.repeat(ids, k), index[rows].ravel()).reshape(-1, k)
        sort_rows(index[rows], similarity[rows], exact)

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
        list(pool.map(look, [(a, b) for a in starts for b in starts if a <= b]))
        list(pool.map(finish, starts))
    return index, similarity


def pairs_within(x: Floats, threshold: float) -> tuple[Places, Places, Floats]:
    """All pairs of rows that are at least so similar; see `blocks_of_pairs` for many.

    Returns:
        i, j (int32) and similarity (float32) of each pair, i < j, sorted by i, then j.
    """
    found = list(blocks_of_pairs(x, threshold))
    if not found:
        nothing = np.empty(0, dtype=np.int32)
        return nothing, nothing, np.empty(0, dtype=np.float32)
    i, j, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return i, j, similarity


def blocks_of_pairs(x: Floats, threshold: float) -> Iterator[tuple[Places, Places, Floats]]:
    """`pairs_within` in pieces, each of some consecutive i: memory is that of the longest piece."""
    starts, squared = range(0, len(x), _BLOCK), squares(x)

    def look(pair: tuple[int, int]) -> tuple[Places, Places, Floats]:
        first, second = pair
        product = _product(x, first, second)[: len(x) - first, : len(x) - second]
        rows, columns = np.nonzero(product >= threshold - _SLACK)
        i, j = (rows + first).astype(np.int32), (columns + second).astype(np.int32)
        i, j = i[i < j], j[i < j]
        similarity = cosines(x, squared, i, j)
        near = similarity >= np.float32(threshold)
        return i[near], j[near], similarity[near]

    for first in starts:
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
            parts = list(pool.map(look, [(first, second) for second in starts if second >= first]))
        i, j, similarity = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort((j, i))
        yield i[order], j[order], similarity[order]


def threads() -> int:
    """How many threads to use: Numba's setting, by default one for each core."""
    return int(numba.config.NUMBA_NUM_THREADS)


def _product(x: Floats, first: int, second: int) -> Floats:
    """Similarities of two blocks of rows, [_BLOCK, _BLOCK]: zero past the end of `x`."""
    product: Floats = _block(x, first) @ _block(x, second).T
    return product


def _block(x: Floats, start: int) -> Floats:
    block = x[start : start + _BLOCK]
    if len(block) == _BLOCK:
        return block
    # Another shape would take BLAS another way, and to other last digits.
    return np.concatenate([block, np.zeros((_BLOCK - len(block), x.shape[1]), dtype=np.float32)])
