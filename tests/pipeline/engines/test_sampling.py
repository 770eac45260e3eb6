"""The arithmetic of sampling, on vocabularies of four tokens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.sampling import (
    cut_at_stop,
    distribution,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    left_pad,
    penalise_repetition,
)
from schemas.models import Sampling

PROBS = torch.tensor([0.125, 0.5, 0.25, 0.125])
LOGITS = PROBS.log()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [
        (0.01, [0, 1, 0, 0]),
        (0.5, [0, 1, 0, 0]),
        (0.51, [0, 2 / 3, 1 / 3, 0]),
        (0.75, [0, 2 / 3, 1 / 3, 0]),
        (0.8, [1 / 7, 4 / 7, 2 / 7, 0]),
        (1.0, PROBS.tolist()),
    ],
)
def test_top_p_keeps_the_smallest_set_that_reaches_p(top_p, expected):
    assert keep_top_p(PROBS, top_p).tolist() == pytest.approx(expected)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=12, unique=True),
    st.floats(0.01, 0.99),
)
def test_top_p_law(weights, top_p):
    probs = torch.tensor(weights, dtype=torch.float64)
    probs /= probs.sum()
    kept = keep_top_p(probs, top_p) > 0
    assert probs[kept].sum() >= top_p - 1e-9
    assert probs[kept].sum() - probs[kept].min() < top_p + 1e-9
    assert kept.all() or probs[kept].min() > probs[~kept].max()


def test_top_k_keeps_the_likeliest_and_their_equals():
    assert keep_top_k(PROBS, 1).tolist() == pytest.approx([0, 1, 0, 0])
    assert keep_top_k(PROBS, 2).tolist() == pytest.approx([0, 2 / 3, 1 / 3, 0])
    assert keep_top_k(PROBS, 3).tolist() == pytest.approx(PROBS.tolist())
    assert keep_top_k(PROBS, 99).tolist() == pytest.approx(PROBS.tolist())


def test_min_p_is_relative_to_the_likeliest():
    assert keep_min_p(PROBS, 0.5).tolist() == pytest.approx([0, 2 / 3, 1 / 3, 0])
    assert keep_min_p(PROBS, 0.6).tolist() == pytest.approx([0, 1, 0, 0])
    assert keep_min_p(PROBS, 0.25).tolist() == pytest.approx(PROBS.tolist())


def test_repetition_penalty_divides_positive_and_multiplies_negative_logits_once():
    logits = torch.tensor([2.0, -1.0, 3.0, -4.0])
    assert penalise_repetition(logits, [0, 1, 0, 0], 2.0).tolist() == [1.0, -2.0, 3.0, -4.0]
    assert logits.tolist() == [2.0, -1.0, 3.0, -4.0]
    assert penalise_repetition(logits, [], 2.0) is logits


def test_temperature_comes_before_the_filters():
    # At temperature 0.5 the probabilities are squared: 1, 16, 4, 1 of 22.
    flat = distribution(LOGITS, Sampling(temperature=0.5))
    assert flat.tolist() == pytest.approx([1 / 22, 16 / 22, 4 / 22, 1 / 22])
    filtered = distribution(LOGITS, Sampling(temperature=0.5, top_p=0.7))
    assert filtered.tolist() == pytest.approx([0, 1, 0, 0])


def test_top_p_works_on_what_top_k_left():
    # Two tokens are left with 2/3 and 1/3; of all four, 0.6 would take both.
    probs = distribution(LOGITS, Sampling(top_k=2, top_p=0.6))
    assert probs.tolist() == pytest.approx([0, 1, 0, 0])


def test_greedy_takes_the_likeliest_after_the_penalty():
    logits = torch.tensor([1.0, 3.0, 2.0, 0.0])
    assert draw(logits, Sampling(temperature=0), [], seeded(1)) == 1
    penalised = Sampling(temperature=0, repetition_penalty=2.0)
    assert draw(logits, penalised, [1], seeded(1)) == 2


def test_draws_follow_the_distribution_and_the_seed():
    random = seeded(3)
    drawn = [draw(LOGITS, Sampling(top_k=2), [], random) for _ in range(600)]
    assert set(drawn) == {1, 2}
    assert drawn.count(1) / 600 == pytest.approx(2 / 3, abs=0.08)  # 4 standard errors
    random = seeded(3)
    assert drawn == [draw(LOGITS, Sampling(top_k=2), [], random) for _ in range(600)]
    random = seeded(4)
    assert drawn != [draw(LOGITS, Sampling(top_k=2), [], random) for _ in range(600)]


def test_text_is_cut_at_the_first_stop_wherever_it_stands_in_the_list():
    assert cut_at_stop("one two three", ["three", "two"]) == ("one ", True)
    assert cut_at_stop("one", ["two"]) == ("one", False)
    assert cut_at_stop("one", []) == ("one", False)


def test_rows_are_padded_on_the_left_and_count_from_zero():
    ids, mask, positions = left_pad([[5, 6, 7], [8]], "cpu")
    assert ids[0].tolist() == [5, 6, 7]
    assert ids[1, -1] == 8
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert positions[0].tolist() == [0, 1, 2]
    assert positions[1, -1] == 0
