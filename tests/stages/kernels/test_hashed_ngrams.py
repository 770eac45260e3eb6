from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from stages.kernels.hashed_ngrams import MOST_BUCKETS, add_counts, hashed_ngrams, uniforms
from stages.kernels.texts import buffers_of
from stages.kernels.words import character_table


def buckets_of(*texts: str, n: int = MOST_BUCKETS) -> list[list[int]]:
    offsets, data = buffers_of(pa.array(texts, type=pa.large_string()))
    buckets, first = hashed_ngrams(data, offsets, character_table("_"), n)
    return [buckets[a:b].tolist() for a, b in pairwise(first)]


def tokens_of(text: str) -> list[str]:
    """As NLTK's WordPunctTokenizer on lower case, for texts without accents."""
    return re.findall(r"\w+|[^\w\s]+", text.lower())


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=30))
def test_tokens_are_those_of_wordpunct(text: str) -> None:
    tokens = tokens_of(text)
    (found,) = buckets_of(text)
    unigrams = found[:1] + found[1::2]
    assert unigrams == [one for (one,) in buckets_of(*tokens)]
    assert found == buckets_of(" ".join(tokens))[0]
    assert len(found) == max(2 * len(tokens) - 1, 0)


def test_a_bigram_is_of_two_words_in_their_order() -> None:
    (ab,), (ba,) = (found[2:] for found in buckets_of("a b", "b a"))
    assert ab != ba
    assert buckets_of("a b c")[0][4] == buckets_of("b c")[0][2]


def test_characters_of_scripts_without_spaces_are_tokens() -> None:
    assert buckets_of("日本")[0][:2] == [buckets_of("日")[0][0], buckets_of("本")[0][0]]
    assert buckets_of("日本！？x") == buckets_of("日 本 ！？ x")


@given(st.lists(st.text(max_size=12), max_size=6), st.integers(2, 50))
def test_buckets_are_in_range_and_texts_apart(texts: list[str], n: int) -> None:
    together = buckets_of(*texts, n=n)
    assert together == [buckets_of(text, n=n)[0] for text in texts]
    assert all(0 <= bucket < n for found in together for bucket in found)


def test_words_spread_evenly_over_the_buckets() -> None:
    offsets, data = buffers_of(pa.array([f"w{i}" for i in range(50_000)], type=pa.large_string()))
    buckets, first = hashed_ngrams(data, offsets, character_table("_"), 100)
    counts = np.zeros(100, dtype=np.int64)
    add_counts(buckets, first, np.ones(50_000, dtype=np.bool_), counts)
    # 500 each; chi square of 99 degrees of freedom is 99 on average, seldom above 150.
    assert ((counts - 500) ** 2 / 500).sum() < 150


def test_numbers_from_texts_are_uniform() -> None:
    offsets, data = buffers_of(pa.array([f"{i:032x}" for i in range(20_000)], pa.large_string()))
    numbers = uniforms(data, offsets, np.uint64(1))
    assert kstest(numbers, "uniform").pvalue > 0.01
    assert numbers.min() > 0 and numbers.max() < 1
