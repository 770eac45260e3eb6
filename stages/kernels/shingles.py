"""The set of n-grams of each text: sorted, distinct 64-bit hashes.

An n-gram's hash is a polynomial of its tokens' hashes, rolled from one place to the next, and
mixed. A text of fewer tokens than n is one n-gram; so is the text without any. Two different
n-grams of a million texts have the same hash with a chance of some 1e-5 in all.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import kernel
from stages.kernels.tokens import Bytes, Hashes, Ints, character_hashes, mix, word_hashes

_BASE = np.uint64(0xD6E8FEB86659FD93)
_FREE = np.uint64(0)
_SET_KEY = np.uint64(0xA0761D6478BD642F)


def shingle_sets(offsets: Ints, data: Bytes, ngram: int, words: bool) -> tuple[Ints, Hashes]:
    """Sets of n-grams of texts that lie one after the other.

    Args:
        offsets: i64[n + 1], where each text begins in `data`, and the last one's end.
        data: u8[...], the UTF-8 bytes.
        ngram: tokens in an n-gram.
        words: True for tokens that white space parts, False for characters.

    Returns:
        (starts i64[n + 1], hashes u64[starts[n]]): text i has the ascending
        hashes[starts[i]:starts[i + 1]], one at least.
    """
    n_bytes = int(offsets[-1] - offsets[0])
    rows = len(offsets) - 1
    # A word and the space after it take two bytes. What stays unwritten costs no memory.
    room = (n_bytes // 2 + rows if words else n_bytes) + rows
    hashes = np.empty(room, np.uint64)
    starts = np.zeros(rows + 1, np.int64)
    longest = int(np.max(np.diff(offsets), initial=0))
    tokens = np.empty((longest // 2 + 1 if words else longest) + 1, np.uint64)
    _fill(offsets, data, ngram, words, tokens, starts, hashes)
    return starts, hashes[: starts[-1]]


@kernel()
def _fill(
    offsets: Ints,
    data: Bytes,
    ngram: int,
    words: bool,
    tokens: Hashes,
    starts: Ints,
    hashes: Hashes,
) -> None:
    table = np.zeros(1 << 12, np.uint64)
    for row in range(len(offsets) - 1):
        if words:
            count = word_hashes(data, offsets[row], offsets[row + 1], tokens)
        else:
            count = character_hashes(data, offsets[row], offsets[row + 1], tokens)
        bits = 3
        while (1 << bits) < 2 * count:
            bits += 1
        if len(table) < (1 << bits) + count + 1:
            table = np.zeros(2 << bits, np.uint64)
        _insert_ngrams(tokens, count, ngram, table, np.uint64(64 - bits))
        end = (1 << bits) + count + 1
        starts[row + 1] = _drain(table, end, hashes, starts[row])


@kernel()
def _insert_ngrams(tokens: Hashes, count: int, ngram: int, table: Hashes, shift: np.uint64) -> None:
    leading = np.uint64(1)
    for _ in range(ngram):
        leading *= _BASE
    rolled = np.uint64(0)
    for place in range(min(count, ngram)):
        rolled = rolled * _BASE + tokens[place]
    if count < ngram:
        rolled += np.uint64(count)  # [0, a] must not be [a]
    _insert(table, mix(rolled), shift)
    for place in range(ngram, count):
        rolled = rolled * _BASE + tokens[place] - leading * tokens[place - ngram]
        _insert(table, mix(rolled), shift)


@kernel(inline="always")
def _insert(table: Hashes, value: np.uint64, shift: np.uint64) -> None:
    """Put a hash where its leading bits say or, in ascending order, shortly after.

    Linear probing that keeps the order: reading the table from its start sorts the set in time
    that grows with its size, since hashes are spread evenly.
    """
    value = max(value, np.uint64(1))  # 0 marks a free place
    place = value >> shift
    while table[place] != _FREE:
        held = table[place]
        if held == value:
            return
        if held > value:
            table[place] = value
            value = held
        place += np.uint64(1)
    table[place] = value


@kernel()
def _drain(table: Hashes, end: int, hashes: Hashes, at: int) -> int:
    """Move a set out of the table, which is left empty; returns where the next one goes."""
    for place in range(end):
        if table[place] != _FREE:
            hashes[at] = table[place]
            at += 1
            table[place] = _FREE
    return at


@kernel()
def identities(starts: Ints, hashes: Hashes) -> Hashes:
    """u64[n, 2]: 128 bits that are the same for the same set."""
    out = np.zeros((len(starts) - 1, 2), np.uint64)
    for row in range(len(out)):
        for place in range(starts[row], starts[row + 1]):
            out[row, 0] += hashes[place]
            out[row, 1] += mix(hashes[place] ^ _SET_KEY)
    return out
