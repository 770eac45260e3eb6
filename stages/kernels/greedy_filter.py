"""Go through rows in order and keep each that is unlike all kept before it.

Blocks of rows are compared with blocks of kept rows in one product each. Where that leaves open
which side of the limit a cosine is on, it is computed anew in double precision, so the choice
depends neither on the number of threads nor on how BLAS rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.kernels.jit import kernel
from stages.kernels.neighbours import Floats, unit
from stages.kernels.vectors import Places, Vectors

_BLOCK = 1024
_KEPT_BLOCK = 4096
_SLACK = 1e-5
"""More than a product in single precision is off by, with up to some thousand dimensions."""
RESOLUTION = 1e-6
"""Of a cosine of embeddings in single precision: what exceeds a limit by less is at it."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """What became of rows, in the order that they were gone through.

    Attributes:
        kept: which are kept.
        alike: for a row dropped for it, where the first kept row stands that it is alike; else -1.
        cosine: with that row; else NaN.
        examined: how many rows were looked at until enough were kept.
    """

    kept: NDArray[np.bool_]
    alike: Places
    cosine: NDArray[np.float64]
    examined: int


def keep_unlike(vectors: Vectors, order: Places, limit: float, most: int) -> Filtered:
    """Keep rows whose cosine with every row kept before is not above `limit`, up to `most`.

    Memory is that of the kept rows in single precision and of some blocks.

    Args:
        vectors: none of them zero.
        order: places of the rows, first the one to be kept first.
    """
    n = len(order)
    alike, cosine = np.full(n, -1, dtype=np.int64), np.full(n, np.nan)
    keepers = np.empty((min(most, n), vectors.dimensions), dtype=np.float32)
    where = np.empty(min(most, n), dtype=np.int64)
    n_kept, examined = 0, 0
    while examined < n and n_kept < most:
        block = unit(vectors.take(order[examined : examined + _BLOCK]))
        like, near = np.full(len(block), -1, dtype=np.int64), np.full(len(block), np.nan)
        for start in range(0, n_kept, _KEPT_BLOCK):
            known = keepers[start : min(start + _KEPT_BLOCK, n_kept)]
            _compare(block @ known.T, block, known, start, limit, like, near)
        taken, looked = _sift(block @ block.T, block, limit, most - n_kept, n_kept, like, near)
        keepers[n_kept : n_kept + len(taken)] = block[taken]
        where[n_kept : n_kept + len(taken)] = examined + taken
        n_kept += len(taken)
        dropped = np.flatnonzero(like[:looked] >= 0)
        alike[examined + dropped] = where[like[dropped]]
        cosine[examined + dropped] = near[dropped]
        examined += looked
    kept = np.zeros(n, dtype=np.bool_)
    kept[where[:n_kept]] = True
    return Filtered(kept, alike, cosine, examined)


@kernel()
def _exact(first: Floats, second: Floats) -> float:
    total = 0.0
    for i in range(len(first)):
        total += np.float64(first[i]) * np.float64(second[i])
    return total


@kernel()
def _above(product: float, first: Floats, second: Floats, limit: float) -> bool:
    """Whether two rows are more alike than `limit`, given their product in single precision."""
    if product < limit - _SLACK:
        return False
    return product > limit + _SLACK or _exact(first, second) > limit + RESOLUTION


@kernel()
def _compare(
    products: Floats,
    rows: Floats,
    known: Floats,
    start: int,
    limit: float,
    like: Places,
    near: NDArray[np.float64],
) -> None:
    """Note for each row that is like none yet the first known one that it is alike."""
    for i in range(len(rows)):
        for j in range(len(known)):
            if like[i] >= 0:
                break
            if _above(products[i, j], rows[i], known[j], limit):
                like[i], near[i] = start + j, _exact(rows[i], known[j])


@kernel()
def _sift(
    products: Floats,
    rows: Floats,
    limit: float,
    room: int,
    start: int,
    like: Places,
    near: NDArray[np.float64],
) -> tuple[Places, int]:
    """Keep up to `room` rows that are like none; which, and how many were looked at."""
    taken = np.empty(min(room, len(rows)), dtype=np.int64)
    n_taken = 0
    for i in range(len(rows)):
        if n_taken == room:
            return taken[:n_taken], i
        for k in range(n_taken):
            if like[i] >= 0:
                break
            j = taken[k]
            if _above(products[i, j], rows[i], rows[j], limit):
                like[i], near[i] = start + k, _exact(rows[i], rows[j])
        if like[i] < 0:
            taken[n_taken] = i
            n_taken += 1
    return taken[:n_taken], len(rows)
