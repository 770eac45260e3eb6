"""Runs of words that texts share with the items of an index, compared word by word."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.kernels.jit import kernel
from stages.kernels.ngram_index import Index, find_key, ngram_hashes, rolling_hashes
from stages.kernels.words import Places, Words


@kernel()
def _same_word(a: int, b: int, own: Words, theirs: Words) -> bool:
    if own.hashes[a] != theirs.hashes[b]:
        return False
    at, there = own.starts[a], theirs.starts[b]
    length = own.starts[a + 1] - at
    if length != theirs.starts[b + 1] - there:
        return False
    return np.array_equal(own.codes[at : at + length], theirs.codes[there : there + length])


@kernel()
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


@kernel()
def _common_runs(words: Words, index: Index) -> Places:
    theirs = index.words
    rolled = np.empty(len(words.hashes), dtype=np.uint64)
    runs, n_runs = np.empty((64, 4), dtype=np.int64), 0
    for text in range(len(words.first) - 1):
        begin, end = words.first[text], words.first[text + 1]
        for length in index.lengths:
            if length < index.in_a_piece and length != end - begin:
                continue
            for i in range(rolling_hashes(words.hashes[begin:end], length, rolled)):
                key = find_key(rolled[i], index.keys)
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
