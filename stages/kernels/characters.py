"""Walk the UTF-8 of Arrow texts character by character."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.jit import kernel

SPACED = np.uint8(1)
"""Part of a word that runs on to the next character of another kind."""
ALONE = np.uint8(2)
"""A word by itself."""
LETTER = np.uint8(4)
SPACE = np.uint8(8)
BREAK = np.uint8(16)
"""Ends a line."""

Offsets = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Kinds = NDArray[np.uint8]
"""The bits above for each code point, shape (0x110000,): `stages._words.character_kinds`."""


@kernel()
def character(data: Bytes, at: int, end: int) -> tuple[np.int64, int]:
    """Code point at a byte, and where the next one starts; U+FFFD for what is no UTF-8."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    if first >= 0xF0:
        width, point = 4, first & 0x07
    elif first >= 0xE0:
        width, point = 3, first & 0x0F
    else:
        width, point = 2, first & 0x1F
    if first < 0xC0 or at + width > end:
        return np.int64(0xFFFD), at + 1
    for i in range(at + 1, at + width):
        point = (point << 6) | (np.int64(data[i]) & 0x3F)
    return (point if point < 0x110000 else np.int64(0xFFFD)), at + width


@kernel()
def mixed(value: np.uint64) -> np.uint64:
    """A 64-bit hash spread over all its bits, as in SplitMix64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel()
def hashed(data: Bytes, start: int, end: int) -> np.uint64:
    """64-bit hash of some bytes (FNV-1a, mixed)."""
    value = np.uint64(0xCBF29CE484222325)
    for i in range(start, end):
        value = (value ^ np.uint64(data[i])) * np.uint64(0x100000001B3)
    return np.uint64(mixed(value))


@kernel()
def next_word(data: Bytes, at: int, end: int, kinds: Kinds) -> tuple[int, int, int]:
    """Start, end and characters of the next word; its start is `end` where there is none."""
    while at < end:
        point, after = character(data, at, end)
        kind = kinds[point]
        if kind & ALONE:
            return at, after, 1
        if kind & SPACED:
            start, size = at, 0
            while at < end:
                point, after = character(data, at, end)
                if not kinds[point] & SPACED:
                    break
                size += 1
                at = after
            return start, at, size
        at = after
    return end, end, 0


@kernel()
def count_words(offsets: Offsets, data: Bytes, kinds: Kinds) -> NDArray[np.int64]:
    """Words of each text, shape (n,)."""
    counts = np.zeros(len(offsets) - 1, dtype=np.int64)
    for text in range(len(counts)):
        at, end = offsets[text], offsets[text + 1]
        while True:
            start, at, _ = next_word(data, at, end, kinds)
            if start == end:
                break
            counts[text] += 1
    return counts
