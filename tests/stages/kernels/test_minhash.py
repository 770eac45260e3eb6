"""Sets of n-grams, their signatures and their similarity, held to Python's sets."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages._signatures import RECALL, bands_for, chance_to_meet
from stages.kernels.jaccard import jaccard, sets_of
from stages.kernels.minhash import band_hashes, permutations, signatures
from stages.kernels.shingles import identities, shingle_sets
from stages.kernels.texts import buffers_of

WORDS = st.lists(st.sampled_from(["a", "b", "cc", "\u00e9t\u00e9", "\u4e2d"]), max_size=30)
TEXTS = st.lists(WORDS.map(" ".join), min_size=2, max_size=6)


def ngrams(tokens: list[str], n: int) -> set[tuple[str, ...]]:
    if len(tokens) < n:
        return {tuple(tokens)}
    return {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}


def column(starts: np.ndarray, hashes: np.ndarray, cut: int) -> pa.ChunkedArray:
    lists = pa.LargeListArray.from_arrays(pa.array(starts), pa.array(hashes))
    return pa.chunked_array([lists.slice(0, cut), lists.slice(cut)])


@given(TEXTS, st.integers(1, 6), st.booleans(), st.integers(0, 2))
def test_sets_and_similarities_are_those_of_python(
    texts: list[str], n: int, words: bool, cut: int
) -> None:
    starts, hashes = shingle_sets(*buffers_of(pa.array(texts, pa.large_string())), n, words)
    expected = [ngrams(text.split() if words else list(text), n) for text in texts]
    assert list(np.diff(starts)) == [len(one) for one in expected]
    for a, b in itertools.pairwise(starts):
        assert (hashes[a : b - 1] < hashes[a + 1 : b]).all()
    sets, identity = sets_of(column(starts, hashes, cut)), identities(starts, hashes)
    for i, first in enumerate(expected):
        for j, second in enumerate(expected):
            assert jaccard(sets, i, j) == len(first & second) / len(first | second)
            assert (identity[i] == identity[j]).all() == (first == second)


def test_a_long_text_of_few_ngrams_is_a_small_set() -> None:
    text = pa.array(["ab cd ef " * 100_000, "a " * 50_000, "x" * 300_000], pa.large_string())
    starts, _ = shingle_sets(*buffers_of(text), 5, True)
    assert list(np.diff(starts)) == [3, 1, 1]


def test_bytes_that_are_no_utf8_are_read_as_they_are() -> None:
    data = np.frombuffer(b"\xff\xfe \x80\x80\xe2\x80 \xc2", np.uint8)
    for words in (True, False):
        starts, _ = shingle_sets(np.array([0, len(data)]), data, 2, words)
        assert starts[1] > 0


def random_sets(shared: int, own: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """`pairs` times two sets that share some hashes and have as many of their own."""
    generator = np.random.default_rng(3)
    sets = []
    for _ in range(pairs):
        drawn = generator.integers(1, 2**63, shared + 2 * own, dtype=np.uint64)
        common, first, second = np.split(drawn, [shared, shared + own])
        sets += [np.sort(np.append(common, first)), np.sort(np.append(common, second))]
    return np.cumsum([0, *map(len, sets)]), np.concatenate(sets)


@pytest.mark.parametrize(("shared", "own"), [(20, 20), (80, 10), (190, 5)])
def test_signatures_agree_as_often_as_sets_are_similar(shared: int, own: int) -> None:
    """The share of equal places has mean J and variance J (1 - J) / permutations."""
    pairs, num_perm = 2000, 128
    signed = signatures(*random_sets(shared, own, pairs), *permutations(num_perm, 1))
    shares = (signed[::2] == signed[1::2]).mean(axis=1)
    similarity = shared / (shared + 2 * own)
    deviation = np.sqrt(similarity * (1 - similarity) / num_perm)
    assert abs(shares.mean() - similarity) < 4 * deviation / np.sqrt(pairs)
    assert shares.std() == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize(("bands", "rows"), [(18, 7), (16, 8)])
def test_pairs_meet_as_often_as_they_should(bands: int, rows: int) -> None:
    signed = signatures(*random_sets(80, 10, 3000), *permutations(128, 1))
    hashed = band_hashes(signed, bands, rows)
    met = (hashed[:, ::2] == hashed[:, 1::2]).any(axis=0).mean()
    assert met == pytest.approx(chance_to_meet(0.8, bands, rows), abs=0.02)


def test_a_seed_gives_permutations_of_its_own() -> None:
    first, again, other = (permutations(128, seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).any() for a, b in zip(first, other, strict=True))
    assert (first[0] % 2 == 1).all()
    assert (permutations(16, 1)[0] == first[0][:16]).all()


@pytest.mark.parametrize("num_perm", [1, 31, 33, 128])
def test_any_number_of_permutations_will_do(num_perm: int) -> None:
    sets = random_sets(20, 5, 4)
    signed = signatures(*sets, *permutations(num_perm, 1))
    assert (signed == signatures(*sets, *permutations(128, 1))[:, :num_perm]).all()


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.3, (64, 2)), (0.8, (18, 7)), (0.95, (8, 16)), (1.0, (1, 128))]
)
def test_bands_fit_the_threshold(threshold: float, expected: tuple[int, int]) -> None:
    assert bands_for(threshold, 128) == expected


@given(st.floats(0.01, 1), st.integers(1, 256))
def test_bands_are_the_longest_that_find_enough(threshold: float, num_perm: int) -> None:
    found = bands_for(threshold, num_perm)
    longer = range(found[1] + 1 if found else 1, num_perm + 1)
    assert all(chance_to_meet(threshold, num_perm // rows, rows) < RECALL for rows in longer)
    assert found is None or chance_to_meet(threshold, *found) >= RECALL
