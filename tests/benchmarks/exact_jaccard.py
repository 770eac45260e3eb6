"""All pairs of texts whose sets of word n-grams have a Jaccard similarity of at least a threshold.

Exact, but for collisions of 64-bit hashes, of which fewer than one in 1,000 corpora of 40 million
n-grams has one. Words are what ASCII white space separates. Prefix filter: with n-grams in order of
rarity, two sets of such a similarity share one of the first n-grams of each (Chaudhuri et al. 2006,
Bayardo et al. 2007). Independent of the code that it judges.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

Array = np.ndarray[Any, Any]
_NO = -1


def exact_pairs(texts: pa.LargeStringArray, n: int = 5, threshold: float = 0.8) -> Array:
    """Pairs (i, j), i < j, as an int64 array of shape (pairs, 2), sorted.

    A text of fewer than `n` words is one n-gram of all its words.
    """
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    hashes, ends = _ngrams(np.frombuffer(data, np.uint8), starts, n)
    grams, bounds = _as_ranks(hashes, ends)
    order = np.argsort(np.diff(bounds), kind="stable")
    found = _similar(grams, bounds, order, threshold, int(grams.max(initial=0)) + 1)
    pairs = np.sort(found, axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _as_ranks(hashes: Array, ends: Array) -> tuple[Array, Array]:
    """Each text's different n-grams as ranks, rarest first, and where each text's begin."""
    different, names = np.unique(hashes, return_inverse=True)
    del hashes
    counts = np.bincount(names, minlength=len(different))
    rank = np.empty(len(different), np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(different))
    return _sorted_sets(rank[names], ends)


@njit(cache=True, nogil=True)
def _mixed(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _ngrams(data: Array, starts: Array, n: int) -> tuple[Array, Array]:
    """Hashes of the n-grams of all texts, and where each text's end."""
    hashes = np.empty(data.size // 2 + starts.size, np.uint64)
    ends = np.zeros(starts.size, np.int64)
    words = np.empty(n, np.uint64)
    filled = 0
    for text in range(starts.size - 1):
        count, inside = 0, False
        word = np.uint64(0)
        for place in range(starts[text], starts[text + 1] + 1):
            byte = data[place] if place < starts[text + 1] else np.uint8(32)
            if byte == 32 or 9 <= byte <= 13:
                if inside:
                    words[count % n] = _mixed(word)
                    count, inside = count + 1, False
                    if count >= n:
                        hashes[filled] = _joined(words, count, n)
                        filled += 1
            else:
                if not inside:
                    word, inside = np.uint64(0xCBF29CE484222325), True
                word = (word ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        if count < n:
            hashes[filled] = _joined(words, count, count)
            filled += 1
        ends[text + 1] = filled
    return hashes[:filled].copy(), ends


@njit(cache=True, nogil=True)
def _joined(words: Array, count: int, n: int) -> np.uint64:
    """The hash of the last `n` words, in their order."""
    value = np.uint64(n)
    for back in range(n):
        word = words[(count - n + back) % words.size]
        value = _mixed(value * np.uint64(0x9E3779B97F4A7C15) + word)
    return value


@njit(cache=True, nogil=True)
def _sorted_sets(grams: Array, ends: Array) -> tuple[Array, Array]:
    bounds = np.zeros(ends.size, np.int64)
    filled = 0
    for text in range(ends.size - 1):
        own = np.sort(grams[ends[text] : ends[text + 1]])
        for i in range(own.size):
            if i == 0 or own[i] != own[i - 1]:
                grams[filled] = own[i]
                filled += 1
        bounds[text + 1] = filled
    return grams[:filled].copy(), bounds


@njit(cache=True, nogil=True)
def _similar(grams: Array, bounds: Array, order: Array, threshold: float, kinds: int) -> Array:
    """Texts from small to large: each looks for those before it by its rarest n-grams."""
    head = np.full(kinds, _NO, np.int64)
    following = np.empty(grams.size, np.int64)
    holder = np.empty(grams.size, np.int64)
    met = np.full(order.size, _NO, np.int64)
    found = np.empty((1024, 2), np.int64)
    posted = pairs = 0
    for text in order:
        own = grams[bounds[text] : bounds[text + 1]]
        prefix = own.size - math.ceil(threshold * own.size - 1e-9) + 1
        for i in range(prefix):
            post = head[own[i]]
            while post != _NO:
                other = holder[post]
                post = following[post]
                if met[other] == text:
                    continue
                met[other] = text
                theirs = grams[bounds[other] : bounds[other + 1]]
                if theirs.size >= threshold * own.size - 1e-9 and _alike(own, theirs, threshold):
                    if pairs == found.shape[0]:
                        found = np.concatenate((found, np.empty_like(found)))
                    found[pairs, 0], found[pairs, 1] = other, text
                    pairs += 1
        for i in range(prefix):
            holder[posted], following[posted] = text, head[own[i]]
            head[own[i]] = posted
            posted += 1
    return found[:pairs]


@njit(cache=True, nogil=True)
def _alike(one: Array, other: Array, threshold: float) -> bool:
    i = j = shared = 0
    while i < one.size and j < other.size:
        if one[i] == other[j]:
            shared, i, j = shared + 1, i + 1, j + 1
        elif one[i] < other[j]:
            i += 1
        else:
            j += 1
    return shared >= threshold * (one.size + other.size - shared) - 1e-9
