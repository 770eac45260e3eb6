from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.kernels.facility_location import (
    EPSILON,
    Graph,
    lazy_greedy,
    n_uncovered,
    neighbour_graph,
    stochastic_greedy,
)
from stages.kernels.neighbours import Floats, nearest, unit

Matrix = NDArray[np.float64]


def clusters(n: int, d: int = 16, centres: int = 40, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(centres, d))
    noise = rng.normal(size=(n, d)) * rng.uniform(0.2, 1.5, size=(n, 1))
    return unit((means[rng.integers(0, centres, n)] + noise).astype(np.float32))


def graph_of(x: Floats, k: int) -> Graph:
    return neighbour_graph(*nearest(x, k))


def matrix_of(graph: Graph) -> Matrix:
    offsets, places, similarities = graph
    n = len(offsets) - 1
    matrix = np.zeros((n, n))
    for row in range(n):
        edges = slice(offsets[row], offsets[row + 1])
        matrix[row, places[edges]] = similarities[edges]
    return matrix


def objective(similarities: Matrix, weights: Matrix, kept: object) -> float:
    columns = similarities[:, np.array(kept, dtype=int)]
    return float((weights * columns.max(axis=1, initial=0)).sum())


def plain_greedy(similarities: Matrix, weights: Matrix, n_kept: int) -> list[int]:
    """The definition: all gains anew for each pick."""
    kept: list[int] = []
    covered = np.zeros(len(weights))
    for _ in range(n_kept):
        gains = (weights[:, None] * np.maximum(similarities - covered[:, None], 0)).sum(axis=0)
        gains[kept] = -np.inf
        kept.append(int(np.argmax(gains)))
        covered = np.maximum(covered, similarities[:, kept[-1]])
    return kept


def test_the_graph_is_symmetric_and_holds_the_rows_themselves() -> None:
    x = clusters(300)
    index, similarity = nearest(x, 150)
    given = index.copy(), similarity.copy()
    matrix = matrix_of(neighbour_graph(index, similarity))
    assert np.array_equal(index, given[0]) and np.array_equal(similarity, given[1])
    assert np.array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 1).all()
    found = np.take_along_axis(matrix, index.astype(int), axis=1)
    assert np.array_equal(found, np.maximum(similarity, 0))
    cosines = x.astype(np.float64) @ x.T.astype(np.float64)
    np.testing.assert_allclose(matrix[matrix > 0], cosines[matrix > 0], atol=1e-6)
    assert np.count_nonzero(matrix) <= 300 * (2 * 150 + 1)


def test_lazy_greedy_picks_what_plain_greedy_picks() -> None:
    x = clusters(400)
    weights = np.random.default_rng(1).uniform(0, 2, len(x))
    graph = graph_of(x, 25)
    order, gains = lazy_greedy(graph, weights, 120)
    matrix = matrix_of(graph)
    assert order.tolist() == plain_greedy(matrix, weights, 120)
    assert gains.sum() == pytest.approx(objective(matrix, weights, order))
    assert (np.diff(gains) <= 1e-9).all()


@pytest.mark.parametrize("n_kept", [40, 200, 1000])
def test_neighbours_reach_within_one_percent_of_all_similarities(n_kept: int) -> None:
    x = clusters(2000, d=32, centres=150)
    full = np.maximum(x.astype(np.float64) @ x.T.astype(np.float64), 0)
    weights = np.ones(len(x))
    dense, _ = lazy_greedy(graph_of(x, len(x) - 1), weights, n_kept)
    sparse, _ = lazy_greedy(graph_of(x, 200), weights, n_kept)
    reached = objective(full, weights, sparse) / objective(full, weights, dense)
    assert reached >= 0.99
    at_random = np.random.default_rng(0).choice(len(x), n_kept, replace=False)
    assert objective(full, weights, at_random) < 0.97 * objective(full, weights, sparse)


small = st.integers(4, 9).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(1, 4), st.integers(0, 10_000), st.booleans())
)


@settings(deadline=None, max_examples=60)
@given(small)
def test_greedy_reaches_its_share_of_the_best_there_is(
    case: tuple[int, int, int, bool],
) -> None:
    n, n_kept, seed, is_weighted = case
    rng = np.random.default_rng(seed)
    x = unit(rng.normal(size=(n, 3)).astype(np.float32))
    weights = rng.uniform(0, 3, n) if is_weighted else np.ones(n)
    graph = graph_of(x, 3)
    matrix = matrix_of(graph)
    best = max(objective(matrix, weights, kept) for kept in combinations(range(n), n_kept))
    order, _ = lazy_greedy(graph, weights, n_kept)
    assert objective(matrix, weights, order) >= (1 - 1 / math.e) * best - 1e-9
    assert order.tolist() == plain_greedy(matrix, weights, n_kept)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(0, 8), st.integers(0, 8), st.integers(0, 11))
def test_more_rows_never_lower_it_and_add_less_the_more_there_are(
    seed: int, few: int, more: int, new: int
) -> None:
    rng = np.random.default_rng(seed)
    x, weights = unit(rng.normal(size=(12, 3)).astype(np.float32)), rng.uniform(0, 2, 12)
    matrix = matrix_of(graph_of(x, 4))
    rows = rng.permutation(12).tolist()
    small, large = rows[:few], rows[: few + more]

    def gain(kept: list[int]) -> float:
        return objective(matrix, weights, [*kept, new]) - objective(matrix, weights, kept)

    assert gain(small) >= gain(large) - 1e-9 >= -2e-9


def test_equal_gains_go_to_the_row_that_stands_first() -> None:
    x = np.repeat(np.identity(4, dtype=np.float32), 3, axis=0)
    order, gains = lazy_greedy(graph_of(x, 3), np.ones(12), 12)
    assert order.tolist() == [0, 3, 6, 9, 1, 2, 4, 5, 7, 8, 10, 11]
    assert gains.tolist() == [3.0] * 4 + [0.0] * 8


def test_rows_of_no_weight_are_not_stood_for() -> None:
    x = np.repeat(np.identity(3, dtype=np.float32), 2, axis=0)
    order, gains = lazy_greedy(graph_of(x, 2), np.array([0, 0, 1, 0, 5, 5.0]), 3)
    assert order.tolist() == [4, 2, 0]
    assert gains.tolist() == [10, 1, 0]


def test_rows_that_nothing_stands_for_are_counted() -> None:
    x = np.repeat(np.identity(4, dtype=np.float32), [5, 3, 2, 1], axis=0)
    graph = graph_of(x, 4)
    weights = np.ones(len(x))
    left = [n_uncovered(graph, lazy_greedy(graph, weights, n)[0]) for n in range(1, 6)]
    assert left == [6, 3, 1, 0, 0]


def test_a_stochastic_choice_is_that_of_its_seed_and_nearly_as_good() -> None:
    x = clusters(1500)
    graph, weights = graph_of(x, 30), np.ones(1500)
    matrix = matrix_of(graph)
    lazy = objective(matrix, weights, lazy_greedy(graph, weights, 150)[0])
    order, gains = stochastic_greedy(graph, weights, 150, seed=3)
    assert len(set(order.tolist())) == 150
    assert gains.sum() == pytest.approx(objective(matrix, weights, order))
    assert np.array_equal(stochastic_greedy(graph, weights, 150, seed=3)[0], order)
    assert not np.array_equal(stochastic_greedy(graph, weights, 150, seed=4)[0], order)
    reached = [stochastic_greedy(graph, weights, 150, seed)[1].sum() for seed in range(5)]
    assert np.mean(reached) >= (1 - 1 / math.e - EPSILON) * lazy
    assert np.mean(reached) >= 0.95 * lazy


def test_a_sample_of_all_rows_is_plain_greedy() -> None:
    x = clusters(60)
    graph, weights = graph_of(x, 10), np.ones(60)
    # A sample is at least 60 / 4 * ln 100 = 70 rows.
    stochastic, _ = stochastic_greedy(graph, weights, 4, seed=1)
    assert stochastic.tolist() == lazy_greedy(graph, weights, 4)[0].tolist()


@pytest.mark.parametrize("choose", [lazy_greedy, lambda *a: stochastic_greedy(*a, seed=5)])
@pytest.mark.parametrize(("n", "n_kept"), [(1, 1), (7, 7), (7, 0)])
def test_all_rows_or_none(choose: object, n: int, n_kept: int) -> None:
    assert callable(choose)
    order, gains = choose(graph_of(clusters(n), 5), np.ones(n), n_kept)
    assert sorted(order.tolist()) == list(range(n_kept))
    assert len(gains) == n_kept
