"""Who stays among rows that are alike, found without looking at all pairs.

Nodes are numbered from the best to the worst. `greedy` goes through them in that order and keeps
each that is like no node kept before. `component` keeps the best node of each connected component
of the relation "alike". The first `given` nodes are kept whatever they are like.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import config
from numpy.typing import NDArray

from stages.kernels.buckets import Buckets, Nodes, find, shares, unite
from stages.kernels.jaccard import Sets, jaccard, may_reach
from stages.kernels.jit import kernel

Mode = Literal["greedy", "component"]
Floats = NDArray[np.float64]
Edges = tuple[Nodes, Nodes, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of each node.

    Attributes:
        kept_for: i32[n], the node that stands for this one; itself if it is kept.
        similarity: f64[n], how like it that one is; 1 for a kept node.
        compared: pairs whose similarity was computed.
    """

    kept_for: Nodes
    similarity: Floats
    compared: int = 0


def all_kept(nodes: int) -> Verdict:
    """The verdict on nodes of which no two are alike."""
    return Verdict(np.arange(nodes, dtype=np.int32), np.ones(nodes))


def among_sets(
    buckets: Buckets, sets: Sets, threshold: float, mode: Mode, given: int = 0
) -> Verdict:
    """The verdict on sets, alike from a Jaccard similarity of `threshold`.

    Only nodes that share a bucket are compared, and of those only the pairs that can still change
    the outcome: with kept nodes, or between components. Threads divide what is not linked.
    """
    verdict = all_kept(len(sets.lengths))
    seen_by = np.full(len(sets.lengths), -1, np.int32)
    notes = np.full(len(buckets.starts) - 1, 0 if mode == "greedy" else -1, np.int32)
    members = Buckets(buckets.starts, buckets.members.copy(), *buckets[2:])
    kernel = _greedy if mode == "greedy" else _component

    def work(share: Nodes) -> int:
        made: int = kernel(
            share, members, sets, threshold, given, notes, seen_by, *_outcome(verdict)
        )
        return made

    # Not Numba's own threads: those cannot be shared by the threads of a worker.
    with ThreadPoolExecutor(config.NUMBA_NUM_THREADS) as pool:
        compared = sum(pool.map(work, shares(buckets, config.NUMBA_NUM_THREADS)))
    return Verdict(*_outcome(verdict), compared)


def _outcome(verdict: Verdict) -> tuple[Nodes, Floats]:
    return verdict.kept_for, verdict.similarity


@kernel()
def _greedy(
    nodes: Nodes,
    buckets: Buckets,
    sets: Sets,
    threshold: float,
    given: int,
    n_kept: Nodes,
    seen_by: Nodes,
    kept_for: Nodes,
    similarity: Floats,
) -> int:
    """Each bucket's kept members move to its front; they are all that the rest is compared with."""
    compared = 0
    for node in nodes:
        best = 0.0
        own = buckets.node_buckets[buckets.node_starts[node] : buckets.node_starts[node + 1]]
        for bucket in own if node >= given else own[:0]:
            first = buckets.starts[bucket]
            for other in buckets.members[first : first + n_kept[bucket]]:
                if seen_by[other] == node or not may_reach(sets, other, node, threshold):
                    continue
                seen_by[other] = node
                compared += 1
                alike = jaccard(sets, other, node)
                is_better = alike > best or (alike == best and other < kept_for[node])
                if alike >= threshold and is_better:
                    best = alike
                    kept_for[node], similarity[node] = other, alike
        if best > 0:
            continue
        for bucket in own:
            buckets.members[buckets.starts[bucket] + n_kept[bucket]] = node
            n_kept[bucket] += 1
    return compared


@kernel()
def _component(
    nodes: Nodes,
    buckets: Buckets,
    sets: Sets,
    threshold: float,
    given: int,
    whole: Nodes,
    seen_by: Nodes,
    parents: Nodes,
    similarity: Floats,
) -> int:
    """`whole` names a member of each bucket whose members so far are one component; else -1."""
    compared = 0
    for node in nodes:
        own = buckets.node_buckets[buckets.node_starts[node] : buckets.node_starts[node + 1]]
        for bucket in own:
            for other in buckets.members[buckets.starts[bucket] : buckets.starts[bucket + 1]]:
                if other >= node or _joined(parents, whole[bucket], node):
                    break
                if node < given or seen_by[other] == node or _joined(parents, other, node):
                    continue
                seen_by[other] = node
                if may_reach(sets, other, node, threshold):
                    compared += 1
                    if jaccard(sets, other, node) >= threshold:
                        unite(parents, other, node)
            if buckets.members[buckets.starts[bucket]] == node:
                whole[bucket] = node
            elif not _joined(parents, whole[bucket], node):
                whole[bucket] = -1
    for node in nodes:
        parents[node] = find(parents, node)
        if parents[node] != node:
            similarity[node] = jaccard(sets, parents[node], node)
    return compared


@kernel(inline="always")
def _joined(parents: Nodes, first: int, second: int) -> bool:
    return first >= 0 and find(parents, first) == find(parents, second)


def among_pairs(blocks: Iterable[Edges], nodes: int, mode: Mode) -> Verdict:
    """The verdict on nodes of which all alike pairs are told.

    Args:
        blocks: (i i32, j i32, similarity f32) of pairs with i < j, ascending in i over all blocks.
        nodes: how many there are.
        mode: with `component` the similarities are left at 1: survivor and node may be no pair.
    """
    verdict = all_kept(nodes)
    told = 0
    for i, j, alike in blocks:
        told += len(i)
        if mode == "greedy":
            _spread(i, j, alike, *_outcome(verdict))
        else:
            _unite_all(i, j, verdict.kept_for)
    return Verdict(*_outcome(verdict), told)


@kernel()
def _spread(
    i: Nodes, j: Nodes, alike: NDArray[np.float32], kept_for: Nodes, similarity: Floats
) -> None:
    for pair in range(len(i)):
        if kept_for[i[pair]] != i[pair]:
            continue
        node = j[pair]
        if kept_for[node] == node or alike[pair] > similarity[node]:
            kept_for[node], similarity[node] = i[pair], alike[pair]


@kernel()
def _unite_all(i: Nodes, j: Nodes, parents: Nodes) -> None:
    for pair in range(len(i)):
        unite(parents, i[pair], j[pair])
    for node in range(len(parents)):
        parents[node] = find(parents, node)
