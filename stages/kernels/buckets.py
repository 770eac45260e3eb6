"""Rows that agree in a band, and the parts of that relation that do not touch each other.

A bucket holds two or more nodes with the same hash in the same band. Nodes are numbered from the
best to the worst, and stand so in each bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numba import config
from numpy.typing import NDArray

from stages.kernels.equal import first_equal
from stages.kernels.jit import kernel
from stages.kernels.tokens import Hashes, Ints

Nodes = NDArray[np.int32]


class Buckets(NamedTuple):
    """Which nodes met where.

    Attributes:
        starts: i64[buckets + 1], the place of each bucket's first member.
        members: i32[starts[-1]], nodes, ascending within a bucket.
        node_starts: i64[nodes + 1], the place of each node's first bucket.
        node_buckets: i32[starts[-1]], the buckets of each node, ascending.
    """

    starts: Ints
    members: Nodes
    node_starts: Ints
    node_buckets: Nodes


def buckets_of(band: Callable[[int], Hashes], bands: int, nodes: int) -> Buckets:
    """The buckets of all bands.

    Args:
        band: gives the hashes of one band, u64[nodes]; each is held no longer than it is looked at.
        bands: how many there are.
        nodes: how many hashes a band has.
    """

    def runs(place: int) -> tuple[Nodes, Ints]:
        hashes = band(place)
        found: tuple[Nodes, Ints] = _runs(first_equal(hashes, hashes))
        return found

    with ThreadPoolExecutor(config.NUMBA_NUM_THREADS) as pool:
        found = list(pool.map(runs, range(bands)))
    sizes = np.concatenate([np.zeros(1, np.int64), *(counts for _, counts in found)])
    starts = np.cumsum(sizes)
    members = np.concatenate([np.empty(0, np.int32), *(members for members, _ in found)])
    return Buckets(starts, members, *_by_node(starts, members, nodes))


@kernel()
def _runs(firsts: Ints) -> tuple[Nodes, Ints]:
    """(members i32, sizes i64) of the groups of two and more, from the first of each node's."""
    counts = np.zeros(len(firsts), np.int64)
    for first in firsts:
        counts[first] += 1
    n_members = n_runs = 0
    fill = np.empty(len(firsts), np.int64)
    sizes = np.empty(len(firsts) // 2, np.int64)
    for node in range(len(firsts)):
        if counts[node] > 1:
            fill[node] = n_members
            n_members += counts[node]
            sizes[n_runs] = counts[node]
            n_runs += 1
    members = np.empty(n_members, np.int32)
    for node in range(len(firsts)):
        first = firsts[node]
        if counts[first] > 1:
            members[fill[first]] = node
            fill[first] += 1
    return members, sizes[:n_runs].copy()


@kernel()
def _by_node(starts: Ints, members: Nodes, nodes: int) -> tuple[Ints, Nodes]:
    node_starts = np.zeros(nodes + 1, np.int64)
    for member in members:
        node_starts[member + 1] += 1
    node_starts = np.cumsum(node_starts)
    fill = node_starts[:-1].copy()
    node_buckets = np.empty(len(members), np.int32)
    for bucket in range(len(starts) - 1):
        for place in range(starts[bucket], starts[bucket + 1]):
            member = members[place]
            node_buckets[fill[member]] = bucket
            fill[member] += 1
    return node_starts, node_buckets


def shares(buckets: Buckets, count: int) -> list[Nodes]:
    """The nodes that met another, in `count` shares of about equal size.

    Nodes of different shares met in no bucket, not even through others.
    """
    nodes = len(buckets.node_starts) - 1
    met = np.flatnonzero(np.diff(buckets.node_starts)).astype(np.int32)
    roots = _linked(buckets.starts, buckets.members, nodes)[met]
    labels, sizes = np.unique(roots, return_inverse=True, return_counts=True)[1:]
    turn = np.empty(len(sizes), np.int64)
    # The largest first, there and back again: 0, 1, 1, 0, 0, 1, ...
    there_and_back = np.concatenate([np.arange(count), np.arange(count)[::-1]])
    turn[np.argsort(-sizes, kind="stable")] = np.resize(there_and_back, len(sizes))
    return [met[turn[labels] == share] for share in range(count)]


@kernel(inline="always")
def find(parents: Nodes, node: int) -> int:
    """The least node of the set that `node` belongs to; halves the path on the way."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel(inline="always")
def unite(parents: Nodes, first: int, second: int) -> None:
    """Make one set of two."""
    first, second = find(parents, first), find(parents, second)
    if first < second:
        parents[second] = first
    else:
        parents[first] = second


@kernel()
def _linked(starts: Ints, members: Nodes, nodes: int) -> Nodes:
    """i32[nodes]: the least node that each is linked with through buckets."""
    parents = np.arange(nodes).astype(np.int32)
    for bucket in range(len(starts) - 1):
        for place in range(starts[bucket] + 1, starts[bucket + 1]):
            unite(parents, members[starts[bucket]], members[place])
    for node in range(nodes):
        parents[node] = find(parents, node)
    return parents
