"""Gzip sizes of one text followed by each of many: the first is parsed once.

What a target repeats of itself is the same after every source, so it is looked up once for each
target, and its strings never enter a hash table. What the source's parse decides before the longest
of its endings that it also has elsewhere cannot change by what follows; the rest is parsed anew.
That holds while no limit of zlib's comes into play: neither the reach of a match, nor the end of a
block, nor the length of a chain. Where one might, the pair is parsed from 262 bytes before the
source's end, and where the source ended is undone afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.kernels.deflate import (
    BLOCK_SYMBOLS,
    FARTHEST,
    GZIP_BYTES,
    LEAST_AHEAD,
    SHORTENED_CHAIN,
    TOO_FAR,
    Bytes,
    Parse,
    Places,
    Tables,
    advance,
    common_length,
    finish,
    hash_at,
    link,
    longest_match,
    new_parse,
    unlink,
)
from stages.kernels.deflate_blocks import (
    LEAST_MATCH,
    MOST_MATCH,
    count_literal,
    count_match,
    end_block,
)
from stages.kernels.deflate_trees import Ints
from stages.kernels.jit import kernel


class Targets(NamedTuple):
    """Texts to be compressed after others.

    Attributes:
        data: their bytes, one after the other.
        offsets: where each starts in `data`, and where the last ends.
        sizes: the gzip size of each.
        hashes: zlib's hash at each byte of `data`.
        lengths, matches: the newest of the longest matches within the target, and how many bytes
            after the target's start it lies.
        crowds: the most positions of each target that share a hash.
    """

    data: Bytes
    offsets: Ints
    sizes: Ints
    hashes: Places
    lengths: Places
    matches: Places
    crowds: Ints


@kernel()
def new_targets(data: Bytes, offsets: Ints) -> Targets:
    """Targets whose sizes are still to be found, by `prepare_target`."""
    n_bytes, n = len(data), len(offsets) - 1
    return Targets(
        data,
        offsets,
        np.zeros(n, np.int64),
        np.zeros(n_bytes, np.int32),
        np.zeros(n_bytes, np.int32),
        np.zeros(n_bytes, np.int32),
        np.zeros(n, np.int64),
    )


@kernel()
def _crowd(end: int, tables: Tables) -> int:
    """The most positions of linked data that are on one chain."""
    chain, places = tables.chain, tables.places
    most = 0
    for at in range(end - LEAST_MATCH + 1):
        places[at] = places[chain[at]] + 1 if chain[at] > 0 else 1
        most = max(most, places[at])
    return most + 1  # the position 0 is on a chain, but not linked to


@kernel()
def prepare_target(targets: Targets, which: int, tables: Tables) -> None:
    """Find a target's size and its matches within itself; `tables` must have room for it."""
    low, high = targets.offsets[which], targets.offsets[which + 1]
    data, n = targets.data[low:high], high - low
    link(data, 0, n, tables)
    targets.crowds[which] = _crowd(n, tables)
    parse = advance(new_parse(tables), data, n, n, tables)
    targets.sizes[which] = finish(parse, data, n, tables)
    if n <= FARTHEST and targets.crowds[which] < SHORTENED_CHAIN:
        for at in range(n - LEAST_MATCH + 1):
            _prepare_position(targets, low, data, at, tables)
    unlink(data, 0, n, tables)


@kernel()
def _prepare_position(targets: Targets, low: int, data: Bytes, at: int, tables: Tables) -> None:
    targets.hashes[low + at] = hash_at(data, at)
    # `chain` ends in 0 whether or not the position 0 is on it, so that one is tried last.
    most = min(len(data) - at, MOST_MATCH)
    best, match, candidate = LEAST_MATCH - 1, 0, tables.chain[at]
    if candidate > 0:
        best, match = longest_match(data, at, most, best, candidate, 0, tables.chain)
    if at > 0:
        n = common_length(data, at, 0, most)
        if n > best:
            best, match = n, 0
    targets.lengths[low + at] = best
    targets.matches[low + at] = match


@kernel()
def _common_ending(data: Bytes, end: int, tables: Tables) -> int:
    """The longest ending of linked data that it also has elsewhere, at most MOST_MATCH bytes."""
    longest = LEAST_MATCH - 1
    other = tables.chain[end - LEAST_MATCH]
    while other > 0:
        n, most = 0, min(other + LEAST_MATCH, MOST_MATCH)
        while n < most and data[other + LEAST_MATCH - 1 - n] == data[end - 1 - n]:
            n += 1
        longest = max(longest, n)
        other = tables.chain[other]
    return longest


@kernel()
def pair_sizes(
    data: Bytes, end: int, targets: Targets, chosen: Ints, sizes: Ints, tables: Tables
) -> int:
    """Gzip sizes of a source followed by each of the chosen targets, and of the source alone.

    Args:
        data: the source's bytes, and room for the longest target behind them.
        end: how many bytes the source has.
        targets: prepared.
        chosen: indices of targets.
        sizes: where their sizes go, in that order.
        tables: with room for all of `data`; `head` is empty before and after.
    """
    link(data, 0, end, tables)
    is_short = LEAST_MATCH <= end <= FARTHEST
    crowd = _crowd(end, tables) if is_short else 0
    stop = end - (_common_ending(data, end, tables) if is_short else LEAST_AHEAD - 1)
    parse = advance(new_parse(tables), data, end, stop, tables)
    literals, distances = tables.literals.copy(), tables.distances.copy()
    alone: int = finish(advance(parse, data, end, end, tables), data, end, tables)
    for i in range(len(chosen)):
        low, high = targets.offsets[chosen[i]], targets.offsets[chosen[i] + 1]
        both = end + high - low
        data[end:both] = targets.data[low:high]
        tables.literals[:] = literals
        tables.distances[:] = distances
        if is_short and _is_plain(parse, both, crowd + targets.crowds[chosen[i]]):
            sizes[i] = _plain_size(parse, data, end, both, targets, low, tables)
        else:
            sizes[i] = _any_size(parse, data, end, both, tables)
    unlink(data, 0, end, tables)
    return alone


@kernel()
def _is_plain(parse: Parse, both: int, crowd: int) -> bool:
    """Whether none of zlib's limits can come into play; two strings lie across the border."""
    symbols = parse.symbols + both - parse.start + 1
    return (
        both <= FARTHEST
        and symbols < BLOCK_SYMBOLS
        and parse.bits == 0
        and crowd + 2 < SHORTENED_CHAIN
    )


@kernel()
def _any_size(parse: Parse, data: Bytes, end: int, both: int, tables: Tables) -> int:
    """The size of `both` bytes, of which the source has `end`, by zlib's parse as it is."""
    first = max(0, end - LEAST_MATCH + 1)
    link(data, first, both, tables)
    size: int = finish(advance(parse, data, both, both, tables), data, both, tables)
    unlink(data, first, both, tables)
    return size


@kernel()
def _plain_size(
    parse: Parse, data: Bytes, end: int, both: int, targets: Targets, low: int, tables: Tables
) -> int:
    """The size of `both` bytes, of which the source has `end`."""
    head, chain = tables.head, tables.chain
    literals, distances = tables.literals, tables.distances
    last_but_one = hash_at(data, end - 2) if both > end else -1
    last = hash_at(data, end - 1) if both > end + 1 else -1
    if last_but_one >= 0:
        chain[end - 2] = head[last_but_one]
    if last >= 0:
        chain[end - 1] = end - 2 if last == last_but_one else head[last]
    start, length, match, pending = parse.start, parse.length, parse.match, parse.pending
    fixed_bits, extra_bits = parse.fixed_bits, parse.extra_bits
    shift = low - end
    while start < both:
        before, before_match = length, match
        length = LEAST_MATCH - 1
        most = min(both - start, MOST_MATCH)
        if most >= LEAST_MATCH and before < MOST_MATCH:
            length = before
            if start < end:
                candidate = chain[start]
            else:
                place = targets.hashes[start + shift]
                if place == last:
                    candidate = end - 1
                elif place == last_but_one:
                    candidate = end - 2
                else:
                    candidate = head[place]
                if targets.lengths[start + shift] > length:
                    length = targets.lengths[start + shift]
                    match = end + targets.matches[start + shift]
            while candidate > 0 and length < most:
                if data[candidate + length] == data[start + length]:
                    n = common_length(data, start, candidate, most)
                    if n > length:
                        length, match = n, candidate
                candidate = chain[candidate]
            if length == LEAST_MATCH and start - match > TOO_FAR:
                length = LEAST_MATCH - 1
        if before >= LEAST_MATCH and length <= before:
            fixed, extra = count_match(before, start - 1 - before_match, literals, distances)
            fixed_bits += fixed
            extra_bits += extra
            start += before - 1
            length, pending = LEAST_MATCH - 1, False
        else:
            if pending:
                fixed_bits += count_literal(data[start - 1], literals)
            pending = True
            start += 1
    if pending:
        fixed_bits += count_literal(data[both - 1], literals)
    trees = tables.trees
    bits: int = end_block(literals, distances, fixed_bits, extra_bits, both, parse.bits, trees)
    return GZIP_BYTES + ((bits + 7) >> 3)
