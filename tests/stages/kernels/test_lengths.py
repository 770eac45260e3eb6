from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.kernels.lengths import length_matched

ROWS = st.lists(st.tuples(st.integers(0, 40), st.floats(-1, 1)), max_size=300)


def columns(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for _, s in rows], float), np.array([n for n, _ in rows], np.int64)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_plays_no_part(rows: list[tuple[int, float]], rng: object) -> None:
    mixed = np.random.default_rng(rng.getrandbits(32)).permutation(len(rows))  # type: ignore[attr-defined]
    scores, lengths = columns(rows)
    whole = length_matched(scores, lengths)
    assert (length_matched(scores[mixed], lengths[mixed]) == whole[mixed]).all()
    assert np.isfinite(whole).all()


def test_a_score_that_follows_from_the_length_says_nothing() -> None:
    lengths = np.arange(100, 3100)
    scores = 1 / lengths + np.random.default_rng(0).normal(0, 0.02, 3000) / np.sqrt(lengths)
    assert np.corrcoef(scores, lengths)[0, 1] < -0.5
    found = length_matched(scores, lengths)
    assert abs(np.corrcoef(found, lengths)[0, 1]) < 0.05
    # Also within the shortest and the longest.
    assert abs(np.median(found[:30])) < 0.7
    assert abs(np.median(found[-30:])) < 0.7
    assert np.std(found) == pytest.approx(1, abs=0.15)


def test_rows_all_alike_are_all_as_usual() -> None:
    assert length_matched(np.full(200, 0.3), np.full(200, 17)).tolist() == [0.0] * 200
    assert length_matched(np.array([0.3]), np.array([17])).tolist() == [0.0]
    assert len(length_matched(np.zeros(0), np.zeros(0, np.int64))) == 0


def test_a_few_high_scores_do_not_raise_what_is_usual() -> None:
    rng = np.random.default_rng(1)
    lengths = rng.integers(100, 2000, 2000)
    scores = rng.normal(0, 1, 2000)
    scores[:200] += 10
    found = length_matched(scores, lengths)
    assert found[:200].min() > 4
    assert np.abs(np.median(found[200:])) < 0.3


def test_a_few_rows_are_measured_against_one_line_which_outliers_do_not_turn() -> None:
    lengths = np.arange(10, 60)
    scores = 1.0 - 0.2 * np.log1p(lengths)
    scores[[5, 40]] += 0.5
    found = length_matched(scores, lengths)
    assert set(np.argsort(found)[-2:]) == {5, 40}
    rest = np.delete(found, [5, 40])
    assert np.abs(rest).max() < 1e-6 * np.abs(found).max()
