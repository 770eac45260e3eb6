"""Greedy choice where a kept row is a direction, and lowers what the others would add.

After each pick all gains are to be lowered, which means one product of all rows with the picked
one's vector: as fast as memory can be read, and no faster. But gains only fall. So the rows with
the highest are gathered, and only theirs are lowered as long as one of them is above what all the
others were: that is the best of all. Then all are lowered at once, by one matrix product for all
vectors since. The picks are those of plain greedy.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stages.kernels.neighbours import threads

Floats = NDArray[np.float64]
Lower = Callable[[Floats, Floats], Floats]
"""(gains [m], products with the vectors of t picks [m, t]) -> the gains after those picks."""

_GATHERED = 2048
"""Rows whose gains are followed from pick to pick: they fit in a core's cache."""
_BLOCK = 1024
"""Rows that are lowered at once."""


def take_greedily(
    x: NDArray[np.float32],
    gains: Floats,
    n_kept: int,
    direction: Callable[[int, float], Floats],
    lower: Lower,
) -> tuple[NDArray[np.int32], Floats]:
    """Take the row of highest gain, again and again; of equal ones the one that stands first.

    Args:
        x: the rows [n, d].
        gains: float64 [n], what each row would add if it were the first; overwritten.
        n_kept: how many are taken, at most n.
        direction: the vector [d] of a row just taken, from its place and its gain.
        lower: how the vectors lower the gains of rows; must not raise one.

    Returns:
        The places in the order taken, int32, and the gain of each when it was taken.
    """
    order = np.empty(n_kept, dtype=np.int32)
    taken = np.empty(n_kept, dtype=np.float64)
    done = 0
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
        while done < n_kept:
            gathered, limit = _highest(gains)
            rows, now = x[gathered].astype(np.float64), gains[gathered]
            vectors: list[Floats] = []
            while done < n_kept:
                best = int(np.argmax(now))
                if vectors and not now[best] > limit:
                    break
                order[done], taken[done] = gathered[best], now[best]
                vectors.append(direction(int(order[done]), float(taken[done])))
                now = lower(now, (rows @ vectors[-1])[:, None])
                now[best] = gains[gathered[best]] = -np.inf
                done += 1
            _lower_all(x, gains, np.array(vectors).T, lower, pool)
    return order, taken


def _highest(gains: Floats) -> tuple[NDArray[np.int64], float]:
    """Rows with the highest gains, in their order, and the highest gain of all others."""
    if len(gains) <= _GATHERED:
        return np.arange(len(gains)), -np.inf
    split = len(gains) - _GATHERED
    places = np.argpartition(gains, split - 1)
    gathered = np.sort(np.append(places[split:], np.argmax(gains)))
    return np.unique(gathered), float(gains[places[split - 1]])


def _lower_all(
    x: NDArray[np.float32], gains: Floats, vectors: Floats, lower: Lower, pool: ThreadPoolExecutor
) -> None:
    def one(start: int) -> None:
        rows = slice(start, start + _BLOCK)
        gains[rows] = lower(gains[rows], x[rows].astype(np.float64) @ vectors)

    list(pool.map(one, range(0, len(x), _BLOCK)))
