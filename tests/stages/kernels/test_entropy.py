"""ISA's entropy: its numbers, its closed form and its laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.kernels.entropy import Mode, entropy_terms, score_rows, top_overlap

WHOLE = st.lists(st.integers(-1000, 1000), min_size=1, max_size=30)
MODES = st.sampled_from(("paper", "normalised"))


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_three_rows_by_hand() -> None:
    p, deltas = entropy_terms(np.array([-10.0, -6.0, -2.0]), "paper")
    assert p == pytest.approx([1, 1.6487, 2.7183], abs=5e-5)
    assert deltas == pytest.approx([0, -0.8244, -2.7183], abs=5e-5)
    assert score_rows(column(-10, -6, -2), "paper", "max").ranking.tolist() == [0, 1, 2]


def entropy(p: np.ndarray) -> float:
    return -math.fsum(value * math.log(value) for value in p)


@given(WHOLE, MODES)
def test_delta_is_what_the_entropy_loses_without_the_row(values: list[int], mode: Mode) -> None:
    p, deltas = entropy_terms(np.array(values, dtype=float), mode)
    without = [entropy(np.delete(p, i)) for i in range(len(p))]
    assert deltas == pytest.approx(entropy(p) - np.array(without), abs=1e-9)


@given(WHOLE)
def test_normalised_probabilities_sum_to_one_and_others_do_not(values: list[int]) -> None:
    likelihoods = np.array(values, dtype=float)
    assert entropy_terms(likelihoods, "normalised")[0].sum() == pytest.approx(1)
    p, deltas = entropy_terms(likelihoods, "paper")
    assert p.min() == 1 and (p <= math.e + 1e-12).all()
    assert deltas.max() == 0


@given(WHOLE, MODES, st.integers(1, 9), st.integers(-50, 50))
def test_an_affine_rescaling_of_the_likelihoods_changes_nothing(
    values: list[int], mode: Mode, factor: int, shift: int
) -> None:
    plain = score_rows(column(*values), mode, "max")
    scaled = score_rows(column(*(factor * value + shift for value in values)), mode, "max")
    assert scaled.deltas.tolist() == plain.deltas.tolist()
    assert scaled.ranking.tolist() == plain.ranking.tolist()


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=30, unique=True),
    MODES,
    st.integers(0, 99),
)
def test_permuted_rows_have_permuted_ranks(values: list[int], mode: Mode, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(values))
    plain = score_rows(column(*values), mode, "max")
    mixed = score_rows(column(*np.array(values)[order]), mode, "max")
    if mode == "paper":  # by other sums, a normalised delta may differ in its last digit
        assert mixed.ranks.tolist() == plain.ranks[order].tolist()
    assert mixed.deltas == pytest.approx(plain.deltas[order], abs=1e-12)


@pytest.mark.parametrize("k", [35, 100])
def test_the_modes_choose_opposite_rows(k: int) -> None:
    likelihoods = np.random.default_rng(0).normal(-50, 9, 1000)
    lowest = np.argsort(likelihoods)
    paper, normalised = (
        score_rows(likelihoods[:, None], mode, "max").ranking for mode in ("paper", "normalised")
    )
    assert set(paper[:k]) == set(lowest[:k])
    assert set(normalised[:k]) == set(lowest[-k:])
    assert not set(paper[:k]) & set(normalised[:k])


@pytest.mark.parametrize("mode", ["paper", "normalised"])
def test_an_outlier_leaves_the_order_of_the_others(mode: Mode) -> None:
    others = [-3.0, -2.0, -1.0]
    plain = score_rows(column(0.0, *others), mode, "max")
    spoiled = score_rows(column(-1e18, *others), mode, "max")
    kept = [[place for place in scores.ranking if place] for scores in (plain, spoiled)]
    assert kept[0] == kept[1] == ([1, 2, 3] if mode == "paper" else [3, 2, 1])


@pytest.mark.parametrize("mode", ["paper", "normalised"])
def test_equal_likelihoods_keep_their_order(mode: Mode) -> None:
    scores = score_rows(column(-4, -4, -4), mode, "mean")
    assert scores.ranking.tolist() == [0, 1, 2]
    assert np.isfinite(scores.deltas).all()


def test_two_units_are_pooled() -> None:
    likelihoods = np.array([[-10.0, -2.0], [-6.0, -6.0]])
    best, mean = (score_rows(likelihoods, "paper", pooling) for pooling in ("max", "mean"))
    assert best.log_likelihoods.tolist() == [-10, -6]
    assert best.deltas == pytest.approx([0, -0.5 * math.exp(0.5)])
    assert mean.log_likelihoods.tolist() == [-6, -6]
    assert mean.deltas == pytest.approx([-math.e / 2, -0.5 * math.exp(0.5)])
    assert (best.ranking.tolist(), mean.ranking.tolist()) == ([0, 1], [1, 0])


def test_overlap_is_of_the_first_k() -> None:
    first = score_rows(column(1, 2, 3, 4), "paper", "max")
    second = score_rows(column(1, 3, 2, 4), "paper", "max")
    assert [top_overlap(first, second, k) for k in (1, 2, 3)] == [1, 0.5, 1]
