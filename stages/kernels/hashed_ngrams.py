"""Unigrams and bigrams of texts, hashed into a fixed number of buckets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.characters import character, mixed
from stages.kernels.jit import kernel
from stages.kernels.words import (
    ALONE,
    LETTER,
    MARK,
    NOTHING,
    PUNCTUATION,
    SPACE,
    Bytes,
    Codes,
    Places,
    extended,
    kind_and_form,
)

Buckets = npt.NDArray[np.uint16]
MOST_BUCKETS = 1 << 16

_EMPTY = np.uint64(0x84222325CBF29CE4)
_PAIR = np.uint64(0x9FB21C651E98DF25)


def hashed_ngrams(data: Bytes, offsets: Places, table: Codes, n: int) -> tuple[Buckets, Places]:
    """The bucket of every unigram and bigram of texts, and where each text's start.

    A token is a word, or a run of what is neither a word nor space. A text of t tokens has t
    unigrams and t - 1 bigrams.

    Args:
        table: kinds of characters, `stages.kernels.words.character_table`.
        n: how many buckets, at most `MOST_BUCKETS`.
    """
    # A token takes a byte at least, and not all of the room is ever touched.
    out = np.empty(2 * int(offsets[-1] - offsets[0]), dtype=np.uint16)
    first = np.zeros(len(offsets), dtype=np.int64)
    used = _hash_all(data, offsets, table, np.uint64(n), out, first)
    return out[:used].copy(), first


@kernel()
def _bucket(hashed: np.uint64, n: np.uint64) -> np.uint64:
    # A hash's upper half as a fraction of n: what a division would give, at a tenth of its cost.
    return (hashed >> np.uint64(32)) * n >> np.uint64(32)


@kernel()
def _hash_all(
    data: Bytes, offsets: Places, table: Codes, n: np.uint64, out: Buckets, first: Places
) -> int:
    used = 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        begin, token, running, last = used, SPACE, _EMPTY, np.uint64(0)
        while at <= end:
            kind, form = SPACE, 0
            if at < end:
                code, at = character(data, at, end)
                kind, form = kind_and_form(code, table)
            else:
                at += 1
            if kind == NOTHING:
                continue
            if kind == MARK:
                kind = token if token == LETTER else PUNCTUATION
            if token != SPACE and (kind != token or token == ALONE):
                hashed = mixed(running)
                out[used] = _bucket(hashed, n)
                used += 1
                if used > begin + 1:
                    out[used] = _bucket(mixed(last * _PAIR + hashed), n)
                    used += 1
                last = hashed
                running = _EMPTY
            token = kind
            if kind != SPACE:
                running = extended(running, form)
        first[text + 1] = used
    return used


@kernel()
def add_counts(
    buckets: Buckets, first: Places, wanted: npt.NDArray[np.bool_], counts: Places
) -> None:
    """Add to `counts` how often each bucket occurs in the texts that are wanted."""
    for text in range(len(wanted)):
        if wanted[text]:
            for bucket in buckets[first[text] : first[text + 1]]:
                counts[bucket] += 1


@kernel()
def sums_by_text(
    buckets: Buckets,
    first: Places,
    values: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Put into `sums` what the buckets of each text are worth together."""
    for text in range(len(sums)):
        total = 0.0
        for bucket in buckets[first[text] : first[text + 1]]:
            total += values[bucket]
        sums[text] = total


@kernel()
def uniforms(data: Bytes, offsets: Places, seed: np.uint64) -> npt.NDArray[np.float64]:
    """A number between 0 and 1, both excluded, for each text, decided by its bytes and the seed."""
    numbers = np.empty(len(offsets) - 1, dtype=np.float64)
    for text in range(len(numbers)):
        hashed = mixed(seed)
        for at in range(offsets[text], offsets[text + 1]):
            hashed = extended(hashed, data[at])
        # 52 bits, and a half: the ends of the interval cannot come up.
        numbers[text] = (np.float64(mixed(hashed) >> np.uint64(12)) + 0.5) / 4503599627370496.0
    return numbers
