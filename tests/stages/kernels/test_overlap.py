from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stages.kernels.ngram_index import Index, build_index, candidates
from stages.kernels.overlap import common_runs, n_covered, n_ngrams, n_shared, overlaps
from stages.kernels.texts import buffers_of
from stages.kernels.words import Words, character_table, words_of_texts

WORDS = st.lists(st.sampled_from("abc"), max_size=9)
TEXTS = st.lists(WORDS, min_size=1, max_size=4)
Texts = list[list[str]]


def buffers(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    return buffers_of(pa.array([" ".join(text) for text in texts], type=pa.large_string()))


def split(texts: Texts) -> Words:
    offsets, data = buffers(texts)
    return words_of_texts(data, offsets[:-1], offsets[1:], character_table())


def runs_by_hand(
    text: list[str], item: list[str], n: int, in_a_piece: int
) -> list[tuple[int, ...]]:
    """(first word here, first word there, length) of all maximal runs that count."""
    least = min(n, len(item))
    if len(item) < min(n, in_a_piece) and len(item) != len(text):
        return []
    found = []
    for i in range(len(text)):
        for j in range(len(item)):
            if i and j and text[i - 1] == item[j - 1]:
                continue
            length = 0
            while i + length < len(text) and j + length < len(item):
                if text[i + length] != item[j + length]:
                    break
                length += 1
            if length >= max(least, 1):
                found.append((i, j, length))
    return sorted(found, key=lambda run: (run[1], run[0]))


def runs_of(texts: Texts, items: Texts, n: int, in_a_piece: int = 1) -> list[list[tuple[int, ...]]]:
    """The same from the kernel, for each text and item."""
    words, index = split(texts), build_index(split(items), n, in_a_piece)
    return listed(words, index, texts, items)


def listed(words: Words, index: Index, texts: Texts, items: Texts) -> list[list[tuple[int, ...]]]:
    found: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for text, own, theirs, length in zip(*common_runs(words, index), strict=True):
        item = index.item[theirs]
        place = own - words.first[text], theirs - index.words.first[item], length
        found.setdefault((text, item), []).append(tuple(map(int, place)))
    return [found.get((t, i), []) for t in range(len(texts)) for i in range(len(items))]


@given(TEXTS, TEXTS, st.integers(1, 4), st.integers(1, 4))
def test_runs_are_those_found_by_comparing_all_words(
    texts: Texts, items: Texts, n: int, in_a_piece: int
) -> None:
    expected = [runs_by_hand(text, item, n, in_a_piece) for text in texts for item in items]
    assert runs_of(texts, items, n, in_a_piece) == expected


@given(TEXTS, TEXTS, st.integers(1, 4))
def test_hashes_that_collide_make_no_overlap(texts: Texts, items: Texts, n: int) -> None:
    words, theirs = (
        split(side)._replace(hashes=np.zeros(sum(map(len, side)), dtype=np.uint64))
        for side in (texts, items)
    )
    collided = listed(words, build_index(theirs, n, 1), texts, items)
    assert collided == runs_of(texts, items, n)


@given(TEXTS, TEXTS, st.integers(1, 4), st.integers(1, 4))
def test_no_text_with_a_run_is_passed_over(
    texts: Texts, items: Texts, n: int, in_a_piece: int
) -> None:
    offsets, data = buffers(texts)
    index = build_index(split(items), n, in_a_piece)
    found = candidates(data, offsets, character_table(), index)
    with_runs = np.unique(common_runs(split(texts), index).text).tolist()
    assert np.flatnonzero(found).tolist() == with_runs


@given(TEXTS, TEXTS, st.integers(1, 3))
def test_overlaps_are_sums_over_runs(texts: Texts, items: Texts, n: int) -> None:
    words, index = split(texts), build_index(split(items), n, 1)
    runs = common_runs(words, index)
    found = overlaps(runs, index)
    shared = n_shared(runs, found, index)
    expected = {
        (t, i): by_hand
        for t, text in enumerate(texts)
        for i, item in enumerate(items)
        if (by_hand := runs_by_hand(text, item, n, 1))
    }
    assert list(zip(found.text, found.item, strict=True)) == list(expected)
    for k, ((t, i), by_hand) in enumerate(expected.items()):
        longest = max(length for _, _, length in by_hand)
        assert runs.length[found.run[k]] == longest
        assert len({j + x for _, j, length in by_hand for x in range(length)}) == found.covered[k]
        assert len(ngrams(texts[t], n) & ngrams(items[i], n)) == shared[k]
    assert n_ngrams(words, n).tolist() == [len(ngrams(text, n)) for text in texts]
    assert index.n_groups.tolist() == [len(ngrams(item, n)) for item in items]


def ngrams(words: list[str], n: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=6))
def test_what_stretches_cover_is_counted_once(stretches: list[tuple[int, int]]) -> None:
    starts, lengths = (np.array([s[k] for s in stretches], dtype=np.int64) for k in (0, 1))
    covered = n_covered(starts, lengths, np.zeros(len(stretches), dtype=np.int64))
    places = {start + x for start, length in stretches for x in range(length)}
    assert covered.sum() == len(places)


def test_a_word_said_a_thousand_times_is_compared_in_good_time() -> None:
    runs = runs_of([["a"] * 20_000], [["a"] * 100], 8)
    assert max(length for _, _, length in runs[0]) == 100
