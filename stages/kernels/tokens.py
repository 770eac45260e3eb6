"""Words and characters of UTF-8 text as 64-bit hashes, read where the bytes stand.

White space is what Python's `str.split()` takes for it. Every hash ends with the finaliser of
SplitMix64 (Steele, Lea, Flood, 2014), so that sums of hashes may be hashed again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.jit import kernel

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FNV_BASIS = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)


@kernel(inline="always")
def mix(value: np.uint64) -> np.uint64:
    """SplitMix64's finaliser of value + its increment: a bijection on uint64."""
    value += _GAMMA
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@kernel()
def _wide_space(data: Bytes, at: int, stop: int) -> int:
    """Bytes of the white space character beyond ASCII that starts at `at`; 0 if none does."""
    if at + 1 < stop and data[at] == 0xC2:
        return 2 if data[at + 1] == 0x85 or data[at + 1] == 0xA0 else 0
    if at + 2 >= stop:
        return 0
    second, third = data[at + 1], data[at + 2]
    if data[at] == 0xE2 and second == 0x80:
        is_space = 0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF
    elif data[at] == 0xE2:
        is_space = second == 0x81 and third == 0x9F
    elif data[at] == 0xE1:
        is_space = second == 0x9A and third == 0x80
    else:
        is_space = data[at] == 0xE3 and second == 0x80 and third == 0x80
    return 3 if is_space else 0


@kernel(inline="always")
def space_width(data: Bytes, at: int, stop: int) -> int:
    """Bytes of the white space character that starts at `at`; 0 if none does."""
    byte = data[at]
    if byte <= 0x20:
        return 1 if 9 <= byte <= 13 or byte >= 28 else 0
    return 0 if byte < 0xC2 or byte > 0xE3 else _wide_space(data, at, stop)


@kernel()
def word_hashes(data: Bytes, start: int, stop: int, out: Hashes) -> int:
    """FNV-1a of each word of data[start:stop], mixed, into `out`; returns how many."""
    count = 0
    at = start
    while at < stop:
        width = space_width(data, at, stop)
        if width:
            at += width
            continue
        hashed = _FNV_BASIS
        while at < stop and space_width(data, at, stop) == 0:
            hashed = (hashed ^ np.uint64(data[at])) * _FNV_PRIME
            at += 1
        out[count] = mix(hashed)
        count += 1
    return count


@kernel()
def character_hashes(data: Bytes, start: int, stop: int, out: Hashes) -> int:
    """Mixed code of each character of data[start:stop], into `out`; returns how many.

    Bytes that are no UTF-8 give hashes too: a character ends where the next one begins.
    """
    count = 0
    at = start
    while at < stop:
        code = np.uint64(data[at])
        at += 1
        while at < stop and data[at] & 0xC0 == 0x80:
            code = (code << np.uint64(8)) | np.uint64(data[at])
            at += 1
        out[count] = mix(code)
        count += 1
    return count
