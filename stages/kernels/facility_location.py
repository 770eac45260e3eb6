"""Keep the rows that stand for all others: facility location, greedily, on a sparse graph.

f(S) = sum over rows i of w_i max over j in S of s_ij, with similarities below zero taken for zero.
It is monotone and submodular, so a greedy choice reaches at least 1 - 1/e of the best f there is
for that number of rows (Nemhauser, Wolsey and Fisher, 1978). Only neighbours have a similarity: two
rows of which one is among the nearest of the other. Memory is that of the graph, never n x n. A row
without a kept neighbour adds nothing to f, however like it a kept row further off may be; such
rows are what greedy takes next, so they are left only where n_kept is small beside n.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stages.kernels.jit import kernel

Graph = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Row i has the neighbours `places[offsets[i]:offsets[i + 1]]`, itself among them, and with them
the `similarities` at the same place."""
Picks = tuple[NDArray[np.int32], NDArray[np.float64]]
"""Rows in the order taken, and what each added to f when it was."""

EPSILON = 0.01
"""Stochastic greedy reaches 1 - 1/e - EPSILON on average (Mirzasoleiman et al., 2015)."""


def neighbour_graph(index: NDArray[np.int32], similarity: NDArray[np.float32]) -> Graph:
    """The graph of the `nearest` rows [n, k]: symmetric, without similarities of zero and less."""
    n, k = index.shape
    starts = np.arange(n + 1, dtype=np.int64) * k
    # The indices are a copy: to leave out entries is done in place.
    places, values = index.flatten(), similarity.clip(min=0).ravel()
    near = sparse.csr_matrix((values, places, starts), shape=(n, n))
    near.eliminate_zeros()
    graph = near.maximum(near.T).maximum(sparse.identity(n, dtype=np.float32, format="csr"))
    graph.sort_indices()
    return graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data


def n_uncovered(graph: Graph, kept: NDArray[np.int32]) -> int:
    """How many rows have no kept row among their neighbours, and are none themselves."""
    offsets, places, _ = graph
    is_kept = np.zeros(len(offsets) - 1, dtype=bool)
    is_kept[kept] = True
    return int((~np.logical_or.reduceat(is_kept[places], offsets[:-1])).sum())


def lazy_greedy(graph: Graph, weights: NDArray[np.float64], n_kept: int) -> Picks:
    """Take the row that adds most, again and again; of equal ones the one that stands first.

    Gains only fall, so a row whose gain is still the highest after it was computed anew is the
    best: the rows behind it need not be looked at (Minoux, 1978). Same picks as plain greedy.
    """
    picks: Picks = _lazy_greedy(*graph, weights, n_kept)
    return picks


def stochastic_greedy(graph: Graph, weights: NDArray[np.float64], n_kept: int, seed: int) -> Picks:
    """Each time take the best of n / n_kept * ln(1 / EPSILON) rows drawn from those left."""
    n = len(weights)
    n_drawn = math.ceil(n / max(n_kept, 1) * math.log(1 / EPSILON))
    picks: Picks = _stochastic_greedy(*graph, weights, n_kept, min(n_drawn, n), np.uint64(seed))
    return picks


@kernel()
def _gain(
    offsets: Any, places: Any, similarities: Any, weights: Any, covered: Any, row: int
) -> float:
    gain = 0.0
    for edge in range(offsets[row], offsets[row + 1]):
        more = similarities[edge] - covered[places[edge]]
        if more > 0:
            gain += weights[places[edge]] * more
    return gain


@kernel()
def _cover(offsets: Any, places: Any, similarities: Any, covered: Any, row: int) -> None:
    for edge in range(offsets[row], offsets[row + 1]):
        covered[places[edge]] = max(covered[places[edge]], similarities[edge])


@kernel()
def _sink(heap: Any, size: int, gains: Any, at: int) -> None:
    """Restore the heap below `at`: highest gain on top, of equals the row that stands first."""
    row = heap[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and _before(gains, heap[other], heap[child]):
            child = other
        if not _before(gains, heap[child], row):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = row


@kernel(inline="always")
def _before(gains: Any, row: int, other: int) -> bool:
    return gains[row] > gains[other] or (gains[row] == gains[other] and row < other)


@kernel()
def _lazy_greedy(
    offsets: Any, places: Any, similarities: Any, weights: Any, n_kept: int
) -> tuple[Any, Any]:
    n = len(weights)
    covered = np.zeros(n, dtype=np.float64)
    gains = np.empty(n, dtype=np.float64)
    for row in range(n):
        gains[row] = _gain(offsets, places, similarities, weights, covered, row)
    heap = np.arange(n).astype(np.int32)
    for at in range(n // 2 - 1, -1, -1):
        _sink(heap, n, gains, at)
    for size in range(n, n - n_kept, -1):
        while True:
            row = heap[0]
            before = gains[row]
            gains[row] = _gain(offsets, places, similarities, weights, covered, row)
            if gains[row] == before:
                break
            _sink(heap, size, gains, 0)
        _cover(offsets, places, similarities, covered, row)
        # Those taken gather behind the end of the heap, the first of them last.
        heap[0], heap[size - 1] = heap[size - 1], row
        _sink(heap, size - 1, gains, 0)
    picks = heap[n - n_kept :][::-1].copy()
    return picks, gains[picks]


@kernel()
def _stochastic_greedy(
    offsets: Any,
    places: Any,
    similarities: Any,
    weights: Any,
    n_kept: int,
    n_drawn: int,
    seed: Any,
) -> tuple[Any, Any]:
    n = len(weights)
    covered = np.zeros(n, dtype=np.float64)
    rows = np.arange(n).astype(np.int32)
    gains = np.zeros(n_kept, dtype=np.float64)
    for taken in range(n_kept):
        best, best_gain = -1, -1.0
        # Rows before `taken` are kept; those drawn move to the front of the others.
        for drawn in range(taken, min(taken + n_drawn, n)):
            seed, number = _random(seed)
            other = drawn + np.int64(number % np.uint64(n - drawn))
            rows[drawn], rows[other] = rows[other], rows[drawn]
            gain = _gain(offsets, places, similarities, weights, covered, rows[drawn])
            if gain > best_gain or (gain == best_gain and rows[drawn] < rows[best]):
                best, best_gain = drawn, gain
        rows[taken], rows[best] = rows[best], rows[taken]
        gains[taken] = best_gain
        _cover(offsets, places, similarities, covered, rows[taken])
    return rows[:n_kept].copy(), gains


@kernel(inline="always")
def _random(state: Any) -> tuple[Any, Any]:
    """The next state and number of SplitMix64 (Steele, Lea and Flood, 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, z ^ (z >> np.uint64(31))
