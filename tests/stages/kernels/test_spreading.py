"""Greedy k-center and log-det, and the shortcut that they share, against their definitions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels import falling_gains
from stages.kernels.coverage import nearest_kept
from stages.kernels.k_center import FIRST, farthest_first
from stages.kernels.log_det import greedy_map
from stages.kernels.neighbours import Floats, unit


def rows(n: int, d: int = 24, seed: int = 0) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


def plain_farthest_first(x: Floats, n_kept: int) -> list[int]:
    wide = x.astype(np.float64)
    order = [int(np.argmax(wide @ wide.mean(axis=0)))]
    while len(order) < n_kept:
        distances = (1 - (wide @ wide[order].T).max(axis=1)).astype(np.float32)
        distances[order] = -np.inf
        order.append(int(np.argmax(distances)))
    return order


def plain_map(z: Floats, ridge: float, n_kept: int) -> tuple[list[int], list[float]]:
    """log det L of the rows taken and each other one."""
    kernel = z.astype(np.float64) @ z.T.astype(np.float64) + ridge * np.identity(len(z))
    order: list[int] = []
    reached = [0.0]
    for _ in range(n_kept):
        sets = [[*order, row] for row in range(len(z)) if row not in order]
        found = [np.linalg.slogdet(kernel[np.ix_(s, s)])[1] for s in sets]
        order = sets[int(np.argmax(found))]
        reached.append(max(found))
    return order, np.diff(reached).tolist()


@pytest.mark.parametrize("gathered", [1, 7, 5000])
def test_farthest_first_by_its_definition(monkeypatch: pytest.MonkeyPatch, gathered: int) -> None:
    monkeypatch.setattr(falling_gains, "_GATHERED", gathered)
    x = rows(1200)
    order, distances = farthest_first(x, 90)
    assert order.tolist() == plain_farthest_first(x, 90)
    assert distances[0] == FIRST
    for place in (1, 40, 89):
        nearest = (x[order[:place]].astype(np.float64) @ x[order[place]]).max()
        assert distances[place] == pytest.approx(1 - nearest, abs=1e-6)
    assert (np.diff(distances) <= 0).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 9), st.integers(1, 4), st.integers(0, 10_000))
def test_no_row_is_more_than_twice_as_far_as_it_must_be(n: int, n_kept: int, seed: int) -> None:
    x = rows(n, d=3, seed=seed)
    n_kept = min(n, n_kept)
    chords = np.linalg.norm(x[:, None].astype(np.float64) - x[None], axis=2)
    least = min(chords[:, list(kept)].min(axis=1).max() for kept in combinations(range(n), n_kept))
    order, _ = farthest_first(x, n_kept)
    assert chords[:, order].min(axis=1).max() <= 2 * least + 1e-6


@pytest.mark.parametrize("ridge", [0.01, 1.0])
@pytest.mark.parametrize("gathered", [1, 7, 5000])
def test_greedy_map_by_its_definition(
    monkeypatch: pytest.MonkeyPatch, gathered: int, ridge: float
) -> None:
    monkeypatch.setattr(falling_gains, "_GATHERED", gathered)
    quality = np.random.default_rng(1).uniform(0.5, 2, size=(60, 1)).astype(np.float32)
    # More are taken than there are dimensions: the rest is the ridge's.
    z = rows(60, d=5) * quality
    order, gains = greedy_map(z, ridge, 20)
    expected, steps = plain_map(z, ridge, 20)
    assert order.tolist() == expected
    np.testing.assert_allclose(gains, steps, atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(0, 10_000), st.sampled_from([0.001, 0.1, 2.0]))
def test_gains_sum_to_the_log_determinant_and_only_fall(n: int, seed: int, ridge: float) -> None:
    z = rows(n, d=6, seed=seed)
    order, gains = greedy_map(z, ridge, n)
    kernel = z.astype(np.float64) @ z.T.astype(np.float64) + ridge * np.identity(n)
    assert sorted(order.tolist()) == list(range(n))
    assert gains.sum() == pytest.approx(np.linalg.slogdet(kernel)[1], abs=1e-6)
    assert (np.diff(gains) <= 1e-9).all()
    assert gains.min() >= math.log(ridge) - 1e-6


def test_quality_is_worth_something() -> None:
    z = np.identity(3, dtype=np.float32) * np.array([[1], [3], [2]], dtype=np.float32)
    order, gains = greedy_map(z, 0.5, 3)
    assert order.tolist() == [1, 2, 0]
    np.testing.assert_allclose(gains, np.log([9.5, 4.5, 1.5]))


def test_copies_come_last_and_in_their_order() -> None:
    x = np.repeat(np.identity(4, dtype=np.float32), 2, axis=0)
    for order, _ in (farthest_first(x, 8), greedy_map(x, 0.1, 8)):
        assert order.tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_rows_that_are_all_the_same_come_in_their_order() -> None:
    x = np.repeat(rows(1), 3000, axis=0)
    assert farthest_first(x, 50)[0].tolist() == list(range(50))
    assert greedy_map(x, 0.1, 50)[0].tolist() == list(range(50))


def test_one_row() -> None:
    assert [part.tolist() for part in farthest_first(rows(1), 1)] == [[0], [FIRST]]
    order, gains = greedy_map(rows(1), 0.5, 1)
    assert order.tolist() == [0]
    assert gains[0] == pytest.approx(math.log(1.5))


@pytest.mark.parametrize("n_kept", [1, 5, 1300])
def test_the_nearest_kept_row_by_its_definition(n_kept: int) -> None:
    x = rows(2600)
    kept = np.random.default_rng(0).permutation(2600)[:n_kept].astype(np.int32)
    places, similarity = nearest_kept(x, kept)
    full = x.astype(np.float64) @ x[kept].T.astype(np.float64)
    np.testing.assert_allclose(similarity, full.max(axis=1), atol=1e-6)
    assert set(places.tolist()) <= set(kept.tolist())
    found = np.einsum("nd,nd->n", x, x[places])
    np.testing.assert_allclose(found, full.max(axis=1), atol=1e-6)
    assert np.array_equal(places[kept], kept)
    assert (similarity[kept] == 1).all()
