"""An index of the word n-grams of items, and the texts that may have some of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.characters import mixed
from stages.kernels.jit import kernel
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


@kernel()
def rolling_hashes(hashes: Hashes, length: int, out: Hashes) -> int:
    """Put the hashes of all runs of `length` words into `out`; returns how many there are."""
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
    rolling_hashes(hashes, length, out)
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


@kernel()
def _may_hold(key: np.uint64, bitmap: Hashes, shift: np.uint64) -> bool:
    bit = key >> shift
    return bool(bitmap[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1))


@kernel()
def find_key(key: np.uint64, keys: Hashes) -> int:
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


@kernel()
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
            for i in range(rolling_hashes(hashes[:n_words], length, rolled)):
                key = rolled[i]
                if _may_hold(key, index.bitmap, shift) and find_key(key, index.keys) >= 0:
                    found[text] = True
                    break
            if found[text]:
                break
