"""What Gopher's rules on quality count in a text; see `stages._prose`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.characters import (
    ALONE,
    BREAK,
    LETTER,
    SPACE,
    SPACED,
    Bytes,
    Kinds,
    Offsets,
    character,
    hashed,
    next_word,
)
from stages.kernels.jit import kernel

WORDS, WORD_CHARS, ALPHABETIC, HASHES, ELLIPSES, LINES, BULLETS, TRAILING, STOP_WORDS = range(9)
N_COUNTS = 9

_BULLETS = np.array([ord(c) for c in "-*+•‣◦·"], dtype=np.int64)
_HASH, _DOT, _ELLIPSIS = ord("#"), ord("."), ord("…")


def count_prose(
    folded: tuple[Offsets, Bytes], kinds: Kinds, stop_words: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Counts of each text, shape (n, N_COUNTS), in the order of the names above.

    Words are what stands between white space and has a letter or digit in it: how many there are,
    their characters, how many have a letter. Then `#` and ellipses; lines that are not empty, how
    many start with a bullet, how many end with an ellipsis; how many of the stop words occur.

    Args:
        folded: texts in lower case.
        kinds: see `stages.kernels.characters`.
        stop_words: hashes of words, as `word_hash` gives them.
    """
    counts: NDArray[np.int64] = _counts(*folded, kinds, stop_words)
    return counts


def word_hash(word: str) -> np.uint64:
    """The hash of a word in lower case."""
    data = np.frombuffer(word.encode(), dtype=np.uint8)
    return np.uint64(hashed(data, 0, len(data)))


@kernel()
def _counts(
    offsets: Offsets, data: Bytes, kinds: Kinds, stop_words: NDArray[np.uint64]
) -> NDArray[np.int64]:
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    for text in range(len(counts)):
        start, end = offsets[text], offsets[text + 1]
        _count_words(data, start, end, kinds, counts[text])
        _count_lines(data, start, end, kinds, counts[text])
        counts[text, STOP_WORDS] = _stop_words(data, start, end, kinds, stop_words)
    return counts


@kernel()
def _count_words(data: Bytes, at: int, end: int, kinds: Kinds, counts: NDArray[np.int64]) -> None:
    size, seen = 0, 0
    while at < end:
        point, at = character(data, at, end)
        if not kinds[point] & SPACE:
            size += 1
            seen |= kinds[point]
        if kinds[point] & SPACE or at == end:
            if seen & (SPACED | ALONE):
                counts[WORDS] += 1
                counts[WORD_CHARS] += size
                counts[ALPHABETIC] += seen & LETTER != 0
            size, seen = 0, 0


@kernel()
def _count_lines(data: Bytes, at: int, end: int, kinds: Kinds, counts: NDArray[np.int64]) -> None:
    """Count lines and symbols.

    A bullet stands before white space. An ellipsis is `…` or three full stops or more in a row.
    """
    size, first, dots, bullet, trails = 0, 0, 0, False, False
    while at < end:
        point, at = character(data, at, end)
        counts[HASHES] += point == _HASH
        dots = dots + 1 if point == _DOT else 0
        ellipsis = point == _ELLIPSIS or dots == 3
        counts[ELLIPSES] += ellipsis
        if not kinds[point] & SPACE:
            first = point if size == 0 else first
            size += 1
            trails = ellipsis or dots > 3
        elif size == 1:
            bullet = bool((np.int64(first) == _BULLETS).any())
        if size and (kinds[point] & BREAK or at == end):
            counts[LINES] += 1
            counts[BULLETS] += bullet
            counts[TRAILING] += trails
            size, bullet, trails = 0, False, False


@kernel()
def _stop_words(
    data: Bytes, at: int, end: int, kinds: Kinds, stop_words: NDArray[np.uint64]
) -> np.int64:
    """How many of the stop words occur."""
    seen = np.zeros(len(stop_words), np.bool_)
    while True:
        start, at, _ = next_word(data, at, end, kinds)
        if start == end:
            return np.int64(seen.sum())
        word = hashed(data, start, at)
        for i in range(len(stop_words)):
            seen[i] |= stop_words[i] == word
