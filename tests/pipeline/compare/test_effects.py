from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compare.effects import DISTANCES, of_categories, of_numbers

MANY = 10**8


@pytest.mark.parametrize(
    ("distance", "word"),
    [(0, "none"), (0.01, "negligible"), (0.08, "small"), (0.2, "medium"), (0.4, "large")],
)
def test_of_many_rows_a_distance_has_its_word(distance: float, word: str) -> None:
    assert of_numbers(distance, MANY, MANY) == word


@pytest.mark.parametrize(
    ("v", "word"),
    [(0, "none"), (0.05, "negligible"), (0.1, "small"), (0.3, "medium"), (1, "large")],
)
def test_of_many_rows_a_v_has_its_word(v: float, word: str) -> None:
    assert of_categories(v, MANY, 3) == word


def test_what_chance_does_to_few_rows_is_no_shift() -> None:
    assert of_numbers(0.3, 20, 20) == "chance"
    assert of_numbers(0.3, 2000, 20) == "chance"
    assert of_numbers(0.3, 2000, 200) == "medium"
    assert of_categories(0.3, 40, 4) == "chance"
    assert of_categories(0.3, 400, 4) == "medium"


def test_the_limits_are_those_of_cohen_between_normal_distributions() -> None:
    assert [round(limit, 4) for limit in DISTANCES] == [0.0797, 0.1974, 0.3108]


@given(st.floats(0, 1), st.integers(1, MANY), st.integers(1, MANY))
def test_sides_are_alike(distance: float, n: int, m: int) -> None:
    assert of_numbers(distance, n, m) == of_numbers(distance, m, n)
