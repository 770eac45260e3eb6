"""Which word n-grams of a text stand in a set of items, found by hash and proved word by word."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.kernels.characters import mixed
from stages.kernels.words import (
    Bytes,
    Codes,
    Hashes,
    Places,
    Words,
    most_words,
    word_hashes,
)

_BASE = np.uint64(0x9FB21C651E98DF25)
"""Odd, so that no word's bits fall out of a rolling hash."""
_BITS_PER_KEY = 64
"""Of the bitmap that turns nearly every n-gram away before it is searched for."""


class Index(NamedTuple):
    """The n-grams of items, and the items shorter than that, whole.

    Attributes:
        n: words of an n-gram.
        in_a_piece: an item of fewer words than this is looked for in texts that are nothing else.
        words: the items' words, one item after the other.
        item: the item of each word.
        group: for each word the number of the n-gram that starts there, equal for equal n-grams;
            -1 where none starts.
        n_groups: how many different n-grams each item has.
        lengths: numbers of words for which there are keys: n, and those of shorter items.
        keys: the hashes of n-grams and of short items, ascending.
        first: for each key where its postings start, and where the last one's end.
        postings: words at which what a key stands for starts.
        bitmap: a bit for each key, at its top bits.
    """

    n: int
    in_a_piece: int
    words: Words
    item: Places
    group: Places
    n_groups: Places
    lengths: Places
    keys: Hashes
    first: Places
    postings: Places
    bitmap: Hashes


@njit(cache=True, nogil=True)
def _roll(hashes: Hashes, length: int, out: Hashes) -> int:
    """The hashes of all n-grams of `length` words; returns how many there are."""
    n = len(hashes) - length + 1
    if n <= 0:
        return 0
    salt, top, rolled = np.uint64(length) * _BASE, np.uint64(1), np.uint64(0)
    for k in range(length):
        rolled = rolled * _BASE + hashes[k]
        if k:
            top *= _BASE
    out[0] = mixed(rolled + salt)
    for i in range(1, n):
        rolled = (rolled - hashes[i - 1] * top) * _BASE + hashes[i + length - 1]
        out[i] = mixed(rolled + salt)
    return n


def ngram_hashes(hashes: Hashes, length: int) -> Hashes:
    """The hash of each run of `length` words."""
    out = np.empty(max(len(hashes) - length + 1, 0), dtype=np.uint64)
    _roll(hashes, length, out)
    return out


def build_index(words: Words, n: int, in_a_piece: int) -> Index:
    """Index items by their n-grams, and those of fewer words than `n` by all that they are."""
    counts = np.diff(words.first)
    item = np.repeat(np.arange(len(counts)), counts)
    keys, places = [], []
    short = np.unique(counts[(counts < n) & (counts > 0)])
    for length in [*short.tolist(), n]:
        starts = np.arange(max(len(item) - length + 1, 0))
        if length < n:
            starts = words.first[:-1][counts == length]
        else:
            starts = starts[item[starts] == item[starts + length - 1]]
        keys.append(ngram_hashes(words.hashes, length)[starts])
        places.append(starts)
    unique, number = np.unique(np.concatenate(keys), return_inverse=True)
    group = np.full(len(item), -1, dtype=np.int64)
    n_long = len(places[-1])
    group[places[-1]] = number[len(number) - n_long :]
    order = np.argsort(number, kind="stable")
    return Index(
        n,
        min(in_a_piece, n),
        words,
        item,
        group,
        _n_groups(item[places[-1]], group[places[-1]], len(counts)),
        np.append(short, n),
        unique,
        np.searchsorted(number[order], np.arange(len(unique) + 1)),
        np.concatenate(places)[order],
        _bitmap(unique),
    )


def _n_groups(items: Places, groups: Places, n_items: int) -> Places:
    step = int(groups.max(initial=0)) + 1
    return np.bincount(np.unique(items * step + groups) // step, minlength=n_items)


def _bitmap(keys: Hashes) -> Hashes:
    # At least two words of 64 bits, so that a shift by 64 never comes up.
    n_bits = max(128, 1 << (len(keys) * _BITS_PER_KEY - 1).bit_length())
    bitmap = np.zeros(n_bits // 64, dtype=np.uint64)
    bits = keys >> np.uint64(64 - (n_bits - 1).bit_length())
    np.bitwise_or.at(bitmap, bits >> np.uint64(6), np.uint64(1) << (bits & np.uint64(63)))
    return bitmap


@njit(cache=True, nogil=True)
def _may_hold(key: np.uint64, bitmap: Hashes, shift: np.uint64) -> bool:
    bit = key >> shift
    return bool(bitmap[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1))


@njit(cache=True, nogil=True)
def _find(key: np.uint64, keys: Hashes) -> int:
    """The number of a key; -1 if it is none."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(keys) and keys[low] == key else -1


def candidates(data: Bytes, offsets: Places, table: Codes, index: Index) -> npt.NDArray[np.bool_]:
    """For each text whether it has an n-gram, or is or has a short item, by the hashes alone."""
    room = most_words(int(np.diff(offsets).max(initial=0)))
    shift = np.uint64(64 - (len(index.bitmap) * 64 - 1).bit_length())
    found = np.zeros(len(offsets) - 1, dtype=np.bool_)
    hashes, rolled = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.uint64)
    _scan(data, offsets, table, index, shift, hashes, rolled, found)
    return found


@njit(cache=True, nogil=True)
def _scan(
    data: Bytes,
    offsets: Places,
    table: Codes,
    index: Index,
    shift: np.uint64,
    hashes: Hashes,
    rolled: Hashes,
    found: npt.NDArray[np.bool_],
) -> None:
    for text in range(len(offsets) - 1):
        n_words = word_hashes(data, offsets[text], offsets[text + 1], table, hashes)
        for length in index.lengths:
            if length < index.in_a_piece and length != n_words:
                continue
            for i in range(_roll(hashes[:n_words], length, rolled)):
                key = rolled[i]
                if _may_hold(key, index.bitmap, shift) and _find(key, index.keys) >= 0:
                    found[text] = True
                    break
            if found[text]:
                break


@njit(cache=True, nogil=True)
def _same_word(a: int, b: int, own: Words, theirs: Words) -> bool:
    if own.hashes[a] != theirs.hashes[b]:
        return False
    at, there = own.starts[a], theirs.starts[b]
    length = own.starts[a + 1] - at
    if length != theirs.starts[b + 1] - there:
        return False
    return np.array_equal(own.codes[at : at + length], theirs.codes[there : there + length])


@njit(cache=True, nogil=True)
def _run_length(a: int, b: int, most: int, own: Words, theirs: Words) -> int:
    """How many words are the same from there on."""
    for run in range(most):
        if not _same_word(a + run, b + run, own, theirs):
            return run
    return most


class Runs(NamedTuple):
    """Runs of words that a text and an item share, in the order of texts, then of the index.

    Attributes:
        text: number of the text.
        own: number of the first word among those of all texts.
        theirs: number of the first word in the index.
        length: how many words.
    """

    text: Places
    own: Places
    theirs: Places
    length: Places


def common_runs(words: Words, index: Index) -> Runs:
    """All runs that texts and items share: n-grams as far as they go, and short items whole."""
    runs = _common_runs(words, index)
    return Runs(*runs[np.lexsort((runs[:, 1], runs[:, 2], runs[:, 0]))].T)


@njit(cache=True, nogil=True)
def _common_runs(words: Words, index: Index) -> Places:
    theirs = index.words
    rolled = np.empty(len(words.hashes), dtype=np.uint64)
    runs, n_runs = np.empty((64, 4), dtype=np.int64), 0
    for text in range(len(words.first) - 1):
        begin, end = words.first[text], words.first[text + 1]
        for length in index.lengths:
            if length < index.in_a_piece and length != end - begin:
                continue
            for i in range(_roll(words.hashes[begin:end], length, rolled)):
                key = _find(rolled[i], index.keys)
                if key < 0:
                    continue
                for j in index.postings[index.first[key] : index.first[key + 1]]:
                    item = index.item[j]
                    inside = i > 0 and j > theirs.first[item]
                    # A run is counted where it starts, and nowhere else.
                    if inside and _same_word(begin + i - 1, j - 1, words, theirs):
                        continue
                    most = min(end - begin - i, theirs.first[item + 1] - j)
                    run = _run_length(begin + i, j, most, words, theirs)
                    if run < length:
                        continue  # two n-grams with one hash
                    if n_runs == len(runs):
                        more = np.empty((2 * n_runs, 4), dtype=np.int64)
                        more[:n_runs] = runs
                        runs = more
                    runs[n_runs, 0], runs[n_runs, 1] = text, begin + i
                    runs[n_runs, 2], runs[n_runs, 3] = j, run
                    n_runs += 1
    return runs[:n_runs]


class Overlaps(NamedTuple):
    """What texts have in common with each item that they share a run with, by text and item.

    Attributes:
        text: number of the text.
        item: number of the item.
        run: the longest run, the first of several.
        covered: how many of the item's words stand in runs.
    """

    text: Places
    item: Places
    run: Places
    covered: Places


def overlaps(runs: Runs, index: Index) -> Overlaps:
    """Sum runs up by text and item."""
    item = index.item[runs.theirs]
    heads = np.flatnonzero(np.diff(runs.text, prepend=-1) | np.diff(item, prepend=-1))
    pair = np.repeat(np.arange(len(heads)), np.diff(np.append(heads, len(item))))
    longest = np.lexsort((runs.theirs, -runs.length, pair))[heads]
    covered = n_covered(runs.theirs + runs.text * len(index.item), runs.length, pair)
    return Overlaps(runs.text[heads], item[heads], longest, covered)


def n_covered(starts: Places, lengths: Places, groups: Places) -> Places:
    """How many places the stretches of each group cover together; groups must not overlap."""
    order = np.argsort(starts, kind="stable")
    begin, end = starts[order], (starts + lengths)[order]
    until = np.append(0, np.maximum.accumulate(end))
    new = np.maximum(until[1:] - np.maximum(begin, until[:-1]), 0)
    return np.bincount(groups[order], weights=new).astype(np.int64)


def n_shared(runs: Runs, found: Overlaps, index: Index) -> Places:
    """How many different n-grams text and item have in common, for each overlap."""
    pair = np.searchsorted(
        found.text * (len(index.item) + 1) + found.item,
        runs.text * (len(index.item) + 1) + index.item[runs.theirs],
    )
    counts = np.maximum(runs.length - index.n + 1, 0)
    ends = np.cumsum(counts)
    places = np.arange(counts.sum()) + np.repeat(runs.theirs - ends + counts, counts)
    step = len(index.keys) + 1
    different = np.unique(np.repeat(pair, counts) * step + index.group[places])
    return np.bincount(different // step, minlength=len(found.item))


def n_ngrams(words: Words, n: int) -> Places:
    """How many different n-grams each text has."""
    counts = np.diff(words.first)
    text = np.repeat(np.arange(len(counts)), counts)
    starts = np.arange(max(len(text) - n + 1, 0))
    starts = starts[text[starts] == text[starts + n - 1]]
    rolled = ngram_hashes(words.hashes, n)[starts]
    order = np.lexsort((rolled, text[starts]))
    rolled, text = rolled[order], text[starts][order]
    new = np.ones(len(rolled), dtype=np.bool_)
    new[1:] = (rolled[1:] != rolled[:-1]) | (text[1:] != text[:-1])
    return np.bincount(text[new], minlength=len(counts))
