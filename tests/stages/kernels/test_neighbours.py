from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels import neighbours
from stages.kernels.neighbours import Floats, blocks_of_pairs, nearest, pairs_within, unit


def rows(n: int, d: int = 24, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def lattice(n: int, seed: int) -> Floats:
    """Rows of four halves: their similarities are multiples of 1/4, exactly, and often equal."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 6), dtype=np.float32)
    for row in x:
        row[rng.choice(6, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    return x


def all_similarities(x: Floats) -> np.ndarray:
    wide = x.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    return wide @ wide.T / np.outer(lengths, lengths)


@pytest.mark.parametrize("n", [2, 7, 1023, 1024, 1025, 2500])
def test_the_nearest_are_those_of_all_similarities_sorted(n: int) -> None:
    x = unit(rows(n))
    index, similarity = nearest(x, 6)
    full = all_similarities(x)
    np.fill_diagonal(full, -np.inf)
    k = min(6, n - 1)
    expected = -np.sort(-full, axis=1)[:, :k]
    assert index.dtype == np.int32 and similarity.dtype == np.float32
    assert index.shape == similarity.shape == (n, k)
    np.testing.assert_allclose(similarity, expected, atol=2e-7)
    np.testing.assert_allclose(np.take_along_axis(full, index, 1), expected, atol=2e-7)
    assert all(len(set(found)) == k for found in index.tolist())


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_equally_similar_rows_come_in_their_order(n: int, k: int, seed: int) -> None:
    x = lattice(n, seed)
    index, similarity = nearest(x, k)
    full = x @ x.T
    for row in range(n):
        others = sorted((-full[row, other], other) for other in range(n) if other != row)[:k]
        assert [(-s, i) for i, s in zip(index[row], similarity[row], strict=True)] == others


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.sampled_from([-1.0, 0.25, 0.5, 1.0]), st.integers(0, 1000))
def test_pairs_within_are_those_of_all_similarities(n: int, threshold: float, seed: int) -> None:
    x = lattice(n, seed)
    i, j, similarity = pairs_within(x, threshold)
    full = x @ x.T
    expected = [(a, b) for a in range(n) for b in range(a + 1, n) if full[a, b] >= threshold]
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected
    assert similarity.tolist() == [full[a, b] for a, b in expected]


def test_pairs_come_sorted_from_many_blocks() -> None:
    x = unit(rows(2300, d=8))
    pieces = list(blocks_of_pairs(x, 0.95))
    i, j, similarity = (np.concatenate(part) for part in zip(*pieces, strict=True))
    full = np.triu(all_similarities(x), 1)
    full[np.tril_indices(len(x))] = -np.inf
    expected = np.nonzero(full.astype(np.float32) >= np.float32(0.95))
    assert len(pieces) > 1 and len(i) > 100
    assert np.array_equal([i, j], expected)
    np.testing.assert_allclose(similarity, full[expected], atol=1e-7)


def test_copies_of_a_row_are_exactly_alike() -> None:
    x = unit(np.repeat(rows(700, d=33), 3, axis=0))
    index, similarity = nearest(x, 2)
    first = np.arange(len(x)) // 3 * 3
    assert (similarity == 1).all()
    for offset in range(3):
        others = [o for o in range(3) if o != offset]
        assert np.array_equal(index[offset::3], first[offset::3, None] + others)
    i, _, similarity = pairs_within(x, 1.0)
    assert len(i) == 2100 and (similarity == 1).all()


def test_neither_threads_nor_order_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = unit(rows(2100))
    mixed = np.random.default_rng(1).permutation(len(x))
    index, similarity = nearest(x, 5)
    there, same = nearest(x[mixed], 5)
    assert np.array_equal(mixed[there], index[mixed])
    assert np.array_equal(same, similarity[mixed])
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    assert np.array_equal(nearest(x, 5)[0], index)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 7)
    assert np.array_equal(nearest(x, 5)[0], index)


def test_rows_of_length_one() -> None:
    x = rows(2000, d=5) * np.float32(1e20)
    np.testing.assert_allclose(np.linalg.norm(unit(x), axis=1), 1, rtol=1e-6)
    assert unit(rows(0)).shape == (0, 24)


@pytest.mark.parametrize(
    ("value", "why"), [(0.0, "is zero"), (np.nan, "not finite"), (np.inf, "not finite")]
)
def test_a_row_without_a_direction_is_named(value: float, why: str) -> None:
    x = rows(1500, d=4)
    x[[1100, 1200]] = value
    with pytest.raises(ValueError, match=f"row 1100 .*{why}"):
        unit(x)


def test_one_row_has_no_neighbours() -> None:
    index, similarity = nearest(unit(rows(1)), 4)
    assert index.shape == similarity.shape == (1, 0)
    assert [len(part) for part in pairs_within(unit(rows(1)), 0.5)] == [0, 0, 0]
    assert neighbours.nearest(unit(rows(3)), 0)[0].shape == (3, 0)
