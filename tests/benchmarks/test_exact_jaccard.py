"""The truth that deduplication is judged by, against Python's own sets."""

from __future__ import annotations

import random
from itertools import combinations

import pyarrow as pa
import pytest

from tests.benchmarks.corpora import blocks, edited
from tests.benchmarks.exact_jaccard import exact_pairs

WORDS = [f"w{n}" for n in range(40)]


def texts(seed: int, count: int = 120) -> list[str]:
    """Texts of few different words, a third of them edited copies of others."""
    dice = random.Random(seed)
    made: list[str] = []
    for _ in range(count):
        if made and dice.random() < 0.4:
            made.append(edited(dice.choice(made), dice, WORDS))
        else:
            made.append(" ".join(dice.choices(WORDS, k=dice.randint(3, 90))))
    return made


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))}


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("n", [1, 5])
def test_pairs_are_those_of_sets(threshold: float, n: int) -> None:
    given = texts(seed=n)
    sets = [grams(text, n) for text in given]
    expected = [
        (i, j)
        for i, j in combinations(range(len(sets)), 2)
        if len(sets[i] & sets[j]) >= threshold * len(sets[i] | sets[j])
    ]
    found = exact_pairs(pa.array(given, pa.large_string()), n, threshold)
    assert expected
    assert [tuple(pair) for pair in found.tolist()] == expected


def test_a_smaller_corpus_begins_a_larger_one_and_copies_follow_what_they_copy() -> None:
    given = texts(seed=2)
    small, large = (pa.concat_tables(blocks(given, rows)) for rows in (300, 700))
    assert large.slice(0, 300).equals(small)
    origins = large["copy_of"].to_pylist()
    copies = [(row, origin) for row, origin in enumerate(origins) if origin is not None]
    assert len(copies) > 70
    assert all(origin < row for row, origin in copies)
