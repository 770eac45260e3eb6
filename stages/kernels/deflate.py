"""The exact length of gzip's output at level 9, without the output.

This is zlib's own parse (classic zlib: `deflate_slow` with a window of 32 KiB, 15 bits of hash,
memory level 8, and level 9's limits), so the length equals `len(gzip.compress(data, 9))` to the
byte where Python is linked to classic zlib. Where it is linked to another one (zlib-ng, Apple's or
Intel's), the length is still classic zlib's. Written in Numba and not in C, since a wheel of Numba
installs everywhere without a compiler.

A parse can stop at a position and go on from there, over other data: that is how many texts are
compressed after the same first one (`stages.kernels.deflate_pairs`).

Positions are absolute here. zlib slides its window by 32 KiB and forgets what fell out; `base`,
the start of the window, has the same effect.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.kernels.deflate_blocks import (
    LEAST_MATCH,
    MOST_MATCH,
    WINDOW,
    count_literal,
    count_match,
    end_block,
)
from stages.kernels.deflate_trees import DISTANCE_CODES, LITERAL_CODES, Ints, Trees, new_trees
from stages.kernels.jit import kernel

GZIP_BYTES = 18
"""Header and trailer of a gzip member without a file name."""
LEAST_AHEAD = MOST_MATCH + LEAST_MATCH + 1
FARTHEST = WINDOW - LEAST_AHEAD
"""A match starts at most this far back."""
TOO_FAR = 4096
"""A match of three bytes that starts farther back than this is not taken."""
BLOCK_SYMBOLS = (1 << 14) - 1
"""A block ends after so many literals and matches."""
_LONGEST_CHAIN = 4096
SHORTENED_CHAIN = _LONGEST_CHAIN >> 2
"""Candidates that are tried at least, when the match before is good already."""
_GOOD_MATCH = 32
HASHES = 1 << 15

Bytes = NDArray[np.uint8]
Places = NDArray[np.int32]


class Parse(NamedTuple):
    """Where a parse stands, and what it has counted in its current block.

    Attributes:
        start: the next position to be looked at.
        length, match: the match at the position before, not yet taken; 2 if there is none.
        pending: whether the byte before `start` has not been counted yet.
        base: where the window starts.
        block: where the current block starts.
        symbols: literals and matches in the block.
        fixed_bits: what they take with the fixed codes, without extra bits.
        extra_bits: extra bits of their matches.
        bits: all blocks before.
    """

    start: int
    length: int
    match: int
    pending: bool
    base: int
    block: int
    symbols: int
    fixed_bits: int
    extra_bits: int
    bits: int


class Tables(NamedTuple):
    """The memory of one thread.

    Attributes:
        head: the newest linked position with a hash, 0 for none; shape (32768,).
        chain: the position with the same hash before this one; one for each byte.
        places: how far down its chain a position is, for who wants to know; one for each byte.
        literals, distances: how often each code occurs in the current block.
        trees: see there.
    """

    head: Places
    chain: Places
    places: Places
    literals: Ints
    distances: Ints
    trees: Trees


@kernel()
def new_tables(n_bytes: int) -> Tables:
    """Memory for texts of up to `n_bytes`."""
    return Tables(
        np.zeros(HASHES, np.int32),
        np.zeros(n_bytes + 1, np.int32),
        np.zeros(n_bytes + 1, np.int32),
        np.zeros(LITERAL_CODES, np.int64),
        np.zeros(DISTANCE_CODES, np.int64),
        new_trees(),
    )


@kernel()
def new_parse(tables: Tables) -> Parse:
    """The start of a parse."""
    tables.literals[:] = 0
    tables.distances[:] = 0
    return Parse(0, LEAST_MATCH - 1, 0, False, 0, 0, 0, 0, 0, 0)


@kernel()
def hash_at(data: Bytes, at: int) -> np.int64:
    """Zlib's hash of three bytes; equal hashes and first two bytes mean equal third ones."""
    first, second, third = np.int64(data[at]), np.int64(data[at + 1]), np.int64(data[at + 2])
    return ((first << 10) ^ (second << 5) ^ third) & (HASHES - 1)


@kernel()
def link(data: Bytes, start: int, end: int, tables: Tables) -> None:
    """Chain the strings of three bytes from `start` on to earlier ones with the same hash.

    zlib does this as it goes, and passes none over, so the chains do not depend on the parse.
    """
    head, chain = tables.head, tables.chain
    for at in range(start, end - LEAST_MATCH + 1):
        place = hash_at(data, at)
        chain[at] = head[place]
        head[place] = at


@kernel()
def unlink(data: Bytes, start: int, end: int, tables: Tables) -> None:
    """Undo `link`: `head` is as before; `chain` keeps what it has."""
    head, chain = tables.head, tables.chain
    for at in range(end - LEAST_MATCH, start - 1, -1):
        head[hash_at(data, at)] = chain[at]


@kernel()
def common_length(data: Bytes, here: int, there: int, most: int) -> int:
    """How many bytes are equal from two positions on, at most `most`."""
    n = 0
    while n < most and data[here + n] == data[there + n]:
        n += 1
    return n


@kernel()
def longest_match(
    data: Bytes, here: int, most: int, best: int, candidate: int, limit: int, chain: Places
) -> tuple[int, int]:
    """The newest of the longest matches of more than `best` bytes: length and position.

    Args:
        most: bytes that may match.
        candidate: the first candidate; `chain` has those after it, newest first.
        limit: candidates must lie after this position.
    """
    left = SHORTENED_CHAIN if best >= _GOOD_MATCH else _LONGEST_CHAIN
    match = 0
    while best < most:
        if data[candidate + best] == data[here + best]:
            n = common_length(data, here, candidate, most)
            if n > best:
                best, match = n, candidate
        candidate = chain[candidate]
        left -= 1
        if candidate <= limit or left == 0:
            break
    return best, match


@kernel()
def _bits_after(parse: Parse, at: int, tables: Tables) -> int:
    """All bits up to the end of the current block, at position `at`."""
    stored = at - parse.block if parse.block >= parse.base else -1
    fixed_bits, extra_bits, bits = parse.fixed_bits, parse.extra_bits, parse.bits
    literals, distances = tables.literals, tables.distances
    total: int = end_block(literals, distances, fixed_bits, extra_bits, stored, bits, tables.trees)
    return total


@kernel()
def _next_block(parse: Parse, at: int, tables: Tables) -> Parse:
    """The parse after the end of a block at position `at`."""
    bits = _bits_after(parse, at, tables)
    tables.literals[:] = 0
    tables.distances[:] = 0
    start, length, match, pending, base = parse[:5]
    return Parse(start, length, match, pending, base, at, 0, 0, 0, bits)


@kernel()
def advance(parse: Parse, data: Bytes, end: int, stop: int, tables: Tables) -> Parse:
    """Parse on, to the first step that starts at `stop` or later.

    Args:
        parse: where to go on; `tables` as the steps before left them.
        data: the bytes.
        end: how many there are, all linked; what lies behind is never looked at.
        stop: no step starts here or later; `end` for all.
        tables: the counts of the block are changed.
    """
    chain = tables.chain
    literals, distances = tables.literals, tables.distances
    start, length, match, pending, base, block, symbols, fixed_bits, extra_bits, bits = parse
    while start < min(end, stop):
        ahead = end - start
        if min(end, base + 2 * WINDOW) - start < LEAST_AHEAD and start - base >= (
            WINDOW + FARTHEST
        ):
            base += WINDOW
        before, before_match = length, match
        length = LEAST_MATCH - 1
        if ahead >= LEAST_MATCH:
            candidate = chain[start]
            if candidate > base and before < MOST_MATCH and start - candidate <= FARTHEST:
                most = min(ahead, MOST_MATCH)
                limit = max(base, start - FARTHEST)
                length, match = longest_match(data, start, most, before, candidate, limit, chain)
                if length == LEAST_MATCH and start - match > TOO_FAR:
                    length = LEAST_MATCH - 1
        if before >= LEAST_MATCH and length <= before:
            fixed, extra = count_match(before, start - 1 - before_match, literals, distances)
            start += before - 1
            length, pending = LEAST_MATCH - 1, False
            cut = start
        elif pending:
            fixed, extra = count_literal(data[start - 1], literals), 0
            cut = start
            start += 1
        else:
            pending = True
            start += 1
            continue
        symbols += 1
        fixed_bits += fixed
        extra_bits += extra
        if symbols == BLOCK_SYMBOLS:
            ended = Parse(
                start, length, match, pending, base, block, symbols, fixed_bits, extra_bits, bits
            )
            start, length, match, pending, base, block, symbols, fixed_bits, extra_bits, bits = (
                _next_block(ended, cut, tables)
            )
    return Parse(start, length, match, pending, base, block, symbols, fixed_bits, extra_bits, bits)


@kernel()
def finish(parse: Parse, data: Bytes, end: int, tables: Tables) -> int:
    """Bytes of the whole gzip member; `parse` stands at the end of the data."""
    start, length, match, pending, base, block, symbols, fixed_bits, extra_bits, bits = parse
    if pending:
        fixed_bits += count_literal(data[end - 1], tables.literals)
    done = Parse(start, length, match, False, base, block, symbols, fixed_bits, extra_bits, bits)
    total: int = GZIP_BYTES + ((_bits_after(done, end, tables) + 7) >> 3)
    return total


@kernel()
def gzip_size(data: Bytes) -> int:
    """`len(gzip.compress(data, 9))` for the bytes of an array of shape (n,)."""
    own, end = data.copy(), len(data)  # may be written, as elsewhere: another type to Numba
    tables = new_tables(end)
    link(own, 0, end, tables)
    size: int = finish(advance(new_parse(tables), own, end, end, tables), own, end, tables)
    return size
