"""XXH64 of texts that lie one after the other (Collet; specification: xxhash.com)."""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import kernel
from stages.kernels.tokens import Bytes, Hashes, Ints

_PRIME_1 = np.uint64(0x9E3779B185EBCA87)
_PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3 = np.uint64(0x165667B19E3779F9)
_PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5 = np.uint64(0x27D4EB2F165667C5)


def fingerprints(offsets: Ints, data: Bytes) -> Hashes:
    """u64[n, 2]: XXH64 under the seeds 0 and 1 of each data[offsets[i]:offsets[i + 1]]."""
    out = np.empty((len(offsets) - 1, 2), np.uint64)
    _hash_all(offsets, data, out)
    return out


@kernel()
def _hash_all(offsets: Ints, data: Bytes, out: Hashes) -> None:
    for row in range(len(out)):
        for seed in range(2):
            out[row, seed] = xxh64(data, offsets[row], offsets[row + 1], np.uint64(seed))


@kernel(inline="always")
def _rotated(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@kernel(inline="always")
def _word(data: Bytes, at: int) -> np.uint64:
    """Eight bytes, little end first."""
    value = np.uint64(0)
    for k in range(8):
        value |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return value


@kernel(inline="always")
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    done: np.uint64 = _rotated(lane + word * _PRIME_2, 31) * _PRIME_1
    return done


@kernel(inline="always")
def _merged(hashed: np.uint64, lane: np.uint64) -> np.uint64:
    merged: np.uint64 = (hashed ^ _round(np.uint64(0), lane)) * _PRIME_1 + _PRIME_4
    return merged


@kernel()
def xxh64(data: Bytes, start: int, stop: int, seed: np.uint64) -> np.uint64:
    """XXH64 of data[start:stop]."""
    at = start
    if stop - start >= 32:
        first, second = seed + _PRIME_1 + _PRIME_2, seed + _PRIME_2
        third, fourth = seed, seed - _PRIME_1
        while at + 32 <= stop:
            first = _round(first, _word(data, at))
            second = _round(second, _word(data, at + 8))
            third = _round(third, _word(data, at + 16))
            fourth = _round(fourth, _word(data, at + 24))
            at += 32
        hashed = _rotated(first, 1) + _rotated(second, 7)
        hashed += _rotated(third, 12) + _rotated(fourth, 18)
        hashed = _merged(_merged(_merged(_merged(hashed, first), second), third), fourth)
    else:
        hashed = seed + _PRIME_5
    finished: np.uint64 = _finished(data, at, stop, hashed + np.uint64(stop - start))
    return finished


@kernel()
def _finished(data: Bytes, at: int, stop: int, hashed: np.uint64) -> np.uint64:
    while at + 8 <= stop:
        hashed = _rotated(hashed ^ _round(np.uint64(0), _word(data, at)), 27) * _PRIME_1 + _PRIME_4
        at += 8
    if at + 4 <= stop:
        half = np.uint64(0)
        for k in range(4):
            half |= np.uint64(data[at + k]) << np.uint64(8 * k)
        hashed = _rotated(hashed ^ (half * _PRIME_1), 23) * _PRIME_2 + _PRIME_3
        at += 4
    while at < stop:
        hashed = _rotated(hashed ^ (np.uint64(data[at]) * _PRIME_5), 11) * _PRIME_1
        at += 1
    hashed = (hashed ^ (hashed >> np.uint64(33))) * _PRIME_2
    hashed = (hashed ^ (hashed >> np.uint64(29))) * _PRIME_3
    return hashed ^ (hashed >> np.uint64(32))
