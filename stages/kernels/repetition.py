"""Shares of a text that repeat, as in Gopher's rules; see `stages._repetition`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.characters import (
    BREAK,
    SPACE,
    Bytes,
    Kinds,
    Offsets,
    character,
    hashed,
    mixed,
    next_word,
)
from stages.kernels.jit import kernel

SHORTEST, LONGEST_TOP, LONGEST = 2, 4, 10
"""Of n-grams up to LONGEST_TOP the most frequent one counts, of longer ones all repeated ones."""
N_PIECES = 4
N_SHARES = N_PIECES + LONGEST - SHORTEST + 1

_LINE_FEED = 10

Shares = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]


def repeated_shares(
    texts: tuple[Offsets, Bytes], folded: tuple[Offsets, Bytes], kinds: Kinds, min_words: int
) -> Shares:
    """Shares of each text that repeat, shape (n, N_SHARES), each in [0, 1].

    In order: lines, their characters, paragraphs, their characters; characters in the most
    frequent 2-, 3- and 4-gram; characters in repeated 5- to 10-grams.

    Args:
        texts: for lines and paragraphs.
        folded: the same texts for words, in one case.
        kinds: see `stages.kernels.characters`.
        min_words: texts of fewer words are not measured: all shares are 0.
    """
    shares: Shares = _shares(*texts, *folded, kinds, min_words)
    return shares


@kernel()
def _shares(
    offsets: Offsets,
    data: Bytes,
    folded_offsets: Offsets,
    folded: Bytes,
    kinds: Kinds,
    min_words: int,
) -> Shares:
    shares = np.zeros((len(offsets) - 1, N_SHARES))
    for text in range(len(shares)):
        start, end = folded_offsets[text], folded_offsets[text + 1]
        hashes, sizes = _words(folded, start, end, kinds)
        if len(hashes) < min_words:
            continue
        start, end = offsets[text], offsets[text + 1]
        _piece_shares(data, start, end, kinds, 1, shares[text, :2])
        _piece_shares(data, start, end, kinds, 2, shares[text, 2:4])
        _ngram_shares(hashes, sizes, shares[text, N_PIECES:])
    return shares


@kernel()
def _words(data: Bytes, at: int, end: int, kinds: Kinds) -> tuple[Hashes, Counts]:
    """Hash and characters of each word of a text."""
    room = _most_pieces(end - at)
    hashes, sizes = np.empty(room, np.uint64), np.empty(room, np.int64)
    n = 0
    while True:
        start, at, size = next_word(data, at, end, kinds)
        if start == end:
            return hashes[:n], sizes[:n]
        hashes[n], sizes[n] = hashed(data, start, at), size
        n += 1


@kernel()
def _most_pieces(n_bytes: int) -> int:
    """More words or lines than these a text of so many bytes cannot have.

    A byte stands between two of them, and a word that needs none is of three bytes.
    """
    return n_bytes // 2 + 1


@kernel()
def _piece_shares(
    data: Bytes, start: int, end: int, kinds: Kinds, least: int, shares: Shares
) -> None:
    """Shares of the lines (`least` 1) or paragraphs (2) that stood earlier, and their characters.

    White space around a piece is no part of it, and what is empty is no piece.
    """
    room = _most_pieces(end - start)
    hashes, sizes = np.empty(room, np.uint64), np.empty(room, np.int64)
    n, at = 0, start
    while True:
        first, last, size, at = _next_piece(data, at, end, kinds, least)
        if first == end:
            break
        hashes[n], sizes[n] = hashed(data, first, last), size
        n += 1
    earliest = _earliest(hashes[:n])
    total, repeated, repeated_size = 0, 0, 0
    for i in range(n):
        total += sizes[i]
        if earliest[i] != i:
            repeated += 1
            repeated_size += sizes[i]
    if n:
        shares[0], shares[1] = repeated / n, repeated_size / total


@kernel()
def _next_piece(
    data: Bytes, at: int, end: int, kinds: Kinds, least: int
) -> tuple[int, int, int, int]:
    """Start, end and characters of the next piece, and where to go on.

    A line ends at a line break, a paragraph where white space has two line feeds in it.
    """
    first, last, size = end, end, 0
    breaks, spaces = 0, 0
    while at < end:
        point, after = character(data, at, end)
        if kinds[point] & SPACE:
            spaces += 1
            breaks += kinds[point] & BREAK != 0 if least == 1 else point == _LINE_FEED
            if first < end and breaks >= least:
                return first, last, size, after
        else:
            first = at if first == end else first
            size += 1 + (spaces if size else 0)
            last, breaks, spaces = after, 0, 0
        at = after
    return first, last, size, at


@kernel()
def _earliest(hashes: Hashes) -> Counts:
    """For each hash, the place where it stood first; an open-addressing table."""
    slots = 4
    while slots < 2 * len(hashes):
        slots *= 2
    table = np.full(slots, -1, np.int64)
    earliest = np.empty(len(hashes), np.int64)
    for i in range(len(hashes)):
        slot = np.int64(hashes[i] & np.uint64(slots - 1))
        while table[slot] >= 0 and hashes[table[slot]] != hashes[i]:
            slot = (slot + 1) & (slots - 1)
        if table[slot] < 0:
            table[slot] = i
        earliest[i] = table[slot]
    return earliest


@kernel()
def _ngram_shares(hashes: Hashes, sizes: Counts, shares: Shares) -> None:
    """Shares of characters in the most frequent or in repeated n-grams; a word counts once."""
    total = 0
    for size in sizes:
        total += size
    ngrams = hashes.copy()
    for n in range(SHORTEST, LONGEST + 1):
        m = max(len(hashes) - n + 1, 0)
        for i in range(m):
            ngrams[i] = mixed(ngrams[i]) + hashes[i + n - 1]
        earliest = _earliest(ngrams[:m])
        top = _top(earliest, sizes, n)
        if top < 0:
            return  # no longer one repeats if none of this length does
        covered, reached = 0, 0
        for start in range(m):
            if earliest[start] == top if n <= LONGEST_TOP else earliest[start] != start:
                for i in range(max(start, reached), start + n):
                    covered += sizes[i]
                reached = start + n
        shares[n - SHORTEST] = covered / total


@kernel()
def _top(earliest: Counts, sizes: Counts, n: int) -> int:
    """Where the most frequent n-gram starts; the longest of equals, then the earliest.

    -1 where every n-gram occurs once.
    """
    counts = np.zeros(len(earliest), np.int64)
    for first in earliest:
        counts[first] += 1
    best, best_size = -1, 0
    for i in range(len(counts)):
        if counts[i] < 2 or (best >= 0 and counts[i] < counts[best]):
            continue
        size = 0
        for word in range(i, i + n):
            size += sizes[word]
        if best < 0 or counts[i] > counts[best] or size > best_size:
            best, best_size = i, size
    return best
