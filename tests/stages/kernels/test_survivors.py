"""Survivors found by way of buckets and threads, held to the plain definition over all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.buckets import Buckets, buckets_of, shares
from stages.kernels.jaccard import Sets, sets_of
from stages.kernels.nodes import collapse
from stages.kernels.survivors import Mode, Verdict, among_pairs, among_sets

MODES: list[Mode] = ["greedy", "component"]
SETS = st.lists(st.frozensets(st.integers(1, 6), min_size=1), min_size=1, max_size=12)


def sets_from(sets: list[frozenset[int]]) -> tuple[pa.ChunkedArray, Sets]:
    column = pa.chunked_array([pa.array([sorted(one) for one in sets], pa.large_list(pa.uint64()))])
    return column, sets_of(column)


def one_bucket(nodes: int) -> Buckets:
    return buckets_of(lambda _: np.zeros(nodes, np.uint64), 1, nodes)


def similarity(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / len(a | b)


def greedy(sets: list[frozenset[int]], threshold: float, given: int) -> list[int]:
    kept_for: list[int] = []
    for node, one in enumerate(sets):
        kept = [k for k in range(node) if kept_for[k] == k and node >= given]
        near = [k for k in kept if similarity(one, sets[k]) >= threshold]
        kept_for.append(max(near, key=lambda k: (similarity(one, sets[k]), -k), default=node))
    return kept_for


def component(sets: list[frozenset[int]], threshold: float, given: int) -> list[int]:
    best = list(range(len(sets)))
    for _ in sets:
        for i in range(len(sets)):
            for j in range(max(i + 1, given), len(sets)):
                if similarity(sets[i], sets[j]) >= threshold:
                    best[i] = best[j] = min(best[i], best[j])
    return best


REFERENCE = {"greedy": greedy, "component": component}


@pytest.mark.parametrize("mode", MODES)
@given(sets=SETS, threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]), given_nodes=st.integers(0, 3))
def test_survivors_are_those_of_the_definition(
    mode: Mode, sets: list[frozenset[int]], threshold: float, given_nodes: int
) -> None:
    column, compared = sets_from(sets)
    n_given = min(given_nodes, len(sets))
    verdict = among_sets(one_bucket(len(sets)), compared, threshold, mode, n_given)
    assert list(verdict.kept_for) == REFERENCE[mode](sets, threshold, n_given)
    for node, other in enumerate(verdict.kept_for):
        assert verdict.similarity[node] == similarity(sets[node], sets[other])
    assert len(column) == len(sets)


@pytest.mark.parametrize("mode", MODES)
@given(sets=SETS, threshold=st.sampled_from([0.3, 0.5, 0.8]))
def test_pairs_that_are_told_give_the_same_survivors(
    mode: Mode, sets: list[frozenset[int]], threshold: float
) -> None:
    pairs = [(i, j) for i in range(len(sets)) for j in range(i + 1, len(sets))]
    near = [pair for pair in pairs if similarity(*(sets[k] for k in pair)) >= threshold]
    i, j = (np.array([pair[k] for pair in near], np.int32) for k in (0, 1))
    alike = np.array([similarity(sets[a], sets[b]) for a, b in near], np.float32)
    cut = len(near) // 2
    blocks = [tuple(x[part] for x in (i, j, alike)) for part in (slice(cut), slice(cut, None))]
    verdict: Verdict = among_pairs(blocks, len(sets), mode)  # type: ignore[arg-type]
    assert list(verdict.kept_for) == REFERENCE[mode](sets, threshold, 0)


def bands(seed: int, nodes: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.random.default_rng(seed).integers(0, 8 * nodes, (5, nodes), dtype=np.uint64)


@given(st.integers(0, 99), st.integers(1, 60))
def test_buckets_hold_the_nodes_with_equal_hashes(seed: int, nodes: int) -> None:
    hashes = bands(seed, nodes) // 20
    found = buckets_of(lambda band: hashes[band], len(hashes), nodes)
    expected = sorted(
        list(np.flatnonzero(band == value))
        for band in hashes
        for value in np.unique(band)
        if (band == value).sum() > 1
    )
    members = [list(part) for part in np.split(found.members, found.starts[1:-1])]
    assert sorted(members if len(found.members) else []) == expected
    for node in range(nodes):
        own = found.node_buckets[found.node_starts[node] : found.node_starts[node + 1]]
        assert list(own) == [k for k, part in enumerate(members) if node in part]


@settings(max_examples=30)
@given(st.integers(0, 99), st.integers(1, 5))
def test_shares_have_nothing_in_common(seed: int, count: int) -> None:
    hashes = bands(seed, 200)
    found = buckets_of(lambda band: hashes[band], len(hashes), 200)
    parts = shares(found, count)
    of = {int(node): share for share, part in enumerate(parts) for node in part}
    assert sorted(of) == list(np.flatnonzero(np.diff(found.node_starts)))
    assert all((np.diff(part) > 0).all() for part in parts)
    for part in np.split(found.members, found.starts[1:-1]):
        assert len({of[int(node)] for node in part}) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_number_of_threads_changes_nothing(mode: Mode, monkeypatch: Any) -> None:
    generator = np.random.default_rng(1)
    sets = [frozenset(map(int, generator.integers(1, 40, 12))) for _ in range(300)]
    hashes = bands(2, 300) // 40
    outcomes = []
    for threads in (1, 3):
        monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", threads)
        found = buckets_of(lambda band: hashes[band], len(hashes), 300)
        column, compared = sets_from(sets)
        outcomes.append(among_sets(found, compared, 0.2, mode))
        assert len(column) == 300
    assert (outcomes[0].kept_for == outcomes[1].kept_for).all()
    assert (outcomes[0].kept_for != np.arange(300)).any()
    assert outcomes[0].compared == outcomes[1].compared


@given(st.lists(st.integers(0, 4), max_size=20), st.randoms(use_true_random=False))
def test_equal_rows_are_one_node(contents: list[int], random: Any) -> None:
    order = list(range(len(contents)))
    random.shuffle(order)
    content = np.array(contents, np.uint64)
    collapsed = collapse(content // 2, content % 2, np.array(order, np.int64))
    first = dict.fromkeys(contents[row] for row in order)
    best = [next(row for row in order if contents[row] == value) for value in first]
    assert list(collapsed.best) == best
    assert [contents[row] for row in collapsed.best[collapsed.of]] == contents
