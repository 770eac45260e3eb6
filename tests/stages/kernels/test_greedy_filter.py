"""The filter against the definition of it, gone through row by row."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.kernels.greedy_filter import RESOLUTION, Filtered, keep_unlike
from stages.kernels.vectors import Vectors


def vectors(points: np.ndarray) -> Vectors:
    lists = pa.array(points.astype(np.float32).tolist(), pa.list_(pa.float32()))
    return Vectors(pa.chunked_array([lists[: len(points) // 3], lists[len(points) // 3 :]]))


def by_definition(points: np.ndarray, limit: float, most: int) -> tuple[list[int], dict[int, int]]:
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    kept: list[int] = []
    alike: dict[int, int] = {}
    for i, unit in enumerate(units):
        if len(kept) == most:
            break
        near = [k for k in kept if units[k] @ unit > limit + RESOLUTION]
        if near:
            alike[i] = near[0]
        else:
            kept.append(i)
    return kept, alike


def told(found: Filtered) -> tuple[list[int], dict[int, int]]:
    dropped = np.flatnonzero(found.alike >= 0)
    alike = {int(i): int(found.alike[i]) for i in dropped}
    assert np.isnan(found.cosine[found.alike < 0]).all()
    return np.flatnonzero(found.kept).tolist(), alike


@pytest.mark.parametrize(("n", "d", "limit"), [(2500, 4, 0.9), (1500, 8, 0.5), (300, 2, 0.99)])
def test_it_does_what_it_says_over_several_blocks(n: int, d: int, limit: float) -> None:
    points = np.random.default_rng(n).normal(size=(n, d)).astype(np.float32)
    for most in (1, 40, n):
        found = keep_unlike(vectors(points), np.arange(n), limit, most)
        assert told(found) == by_definition(points, limit, most)


def test_more_rows_are_kept_than_fit_a_block_of_kept_ones() -> None:
    n = 5000
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    points = np.concatenate([points, points[:1]])
    found = keep_unlike(vectors(points), np.arange(n + 1), 1 - 1.1e-7 - RESOLUTION, n + 1)
    assert told(found) == (list(range(n)), {n: 0})


def test_a_row_at_the_limit_stays() -> None:
    points = np.array([[1, 0], [0.9, math.sqrt(0.19)], [0.91, math.sqrt(1 - 0.91**2)]])
    kept, alike = told(keep_unlike(vectors(points), np.arange(2), 0.9, 2))
    assert (kept, alike) == ([0, 1], {})
    found = keep_unlike(vectors(points), np.array([0, 2]), 0.9, 2)
    assert told(found) == ([0], {1: 0})
    assert found.cosine[1] == pytest.approx(0.91)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)).filter(any), min_size=1, max_size=9),
    st.sampled_from((0.3, 0.9, 1.0)),
    st.integers(1, 9),
)
def test_the_length_of_a_vector_is_no_matter(
    drawn: list[tuple[int, int]], limit: float, most: int
) -> None:
    points = np.array(drawn, dtype=float)
    scaled = points * np.arange(1, len(points) + 1)[:, None]
    order = np.arange(len(points))
    plain, other = (keep_unlike(vectors(x), order, limit, most) for x in (points, scaled))
    assert told(plain) == told(other)
    assert 1 <= plain.examined <= len(points)


def test_the_order_decides() -> None:
    points = np.array([[1.0, 0], [1.0, 0.1], [0, 1]])
    found = keep_unlike(vectors(points), np.array([1, 0, 2]), 0.9, 3)
    assert told(found) == ([0, 2], {1: 0})


def test_no_rows() -> None:
    found = keep_unlike(Vectors(pa.chunked_array([], pa.list_(pa.float32()))), np.arange(0), 0.9, 5)
    assert (len(found.kept), found.examined) == (0, 0)
