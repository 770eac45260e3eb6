"""Bits of one DEFLATE block, as zlib (classic, 1.2 and 1.3) writes it: nothing is written here.

zlib's Huffman codes are not the only optimal ones: which of two equally frequent symbols gets the
longer code follows from the order in its heap, and the lengths of the codes are themselves
compressed. So the heap is the same here, comparison for comparison; it is only walked faster, from
the bottom. Format: RFC 1951.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.kernels.jit import kernel

END_BLOCK = 256
LITERAL_CODES = 286
DISTANCE_CODES = 30
_RUN_CODES = 19
_MAX_BITS = 15
_MAX_RUN_BITS = 7
_REPEAT, _ZEROS, _MANY_ZEROS = 16, 17, 18
_RUN_ORDER = np.array(
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], dtype=np.int64
)

Ints = NDArray[np.int64]


class Trees(NamedTuple):
    """Memory in which trees are built; its content means nothing between calls."""

    heap: Ints
    children: Ints
    depths: Ints
    lengths: Ints
    runs: Ints
    run_lengths: Ints
    per_length: Ints


@kernel()
def new_trees() -> Trees:
    """Memory for the trees of one thread."""
    n = LITERAL_CODES + 2
    return Trees(
        np.zeros(2 * n, np.int64),
        np.zeros(2 * n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(_RUN_CODES, np.int64),
        np.zeros(_RUN_CODES, np.int64),
        np.zeros(_MAX_BITS + 1, np.int64),
    )


# A node of the heap is one number: frequency, height of its subtree, and the node. zlib takes the
# rarer node first and then the flatter one; the node's own number plays no part.
_HEIGHT = 10
_FREQUENCY = 15
_NODE = (1 << _HEIGHT) - 1


_NONE = 1 << 62
"""Fills the lowest level of the heap up: more than any node."""


@kernel()
def _sink(heap: Ints, lowest: int, top: int, node: int) -> None:
    """Put a node into the heap, from `top` down.

    Below the place where it belongs each node is put back where it was: so the path always ends on
    the lowest level, which starts at `lowest`, and there is no branch for a processor to guess.
    """
    at = top
    while at < lowest:
        left, right = heap[2 * at], heap[2 * at + 1]
        is_right = right <= (left | _NODE)
        below = right if is_right else left
        stays = node <= (below | _NODE)
        heap[at] = node if stays else below
        node = below if stays else node
        at = 2 * at + is_right
    heap[at] = node


@kernel()
def _leaves(counts: Ints, heap: Ints) -> tuple[int, int, int]:
    """Fill the heap; how many there are, the last symbol, and how many had to be invented."""
    n, last = 0, -1
    for symbol in range(len(counts)):
        if counts[symbol] > 0:
            n += 1
            heap[n] = counts[symbol] << _FREQUENCY | symbol
            last = symbol
    invented = 0
    while n < 2:  # a tree has two leaves at least
        n += 1
        invented += 1
        if last < 2:
            last += 1
            symbol = last
        else:
            symbol = 0
        heap[n] = 1 << _FREQUENCY | symbol
    return n, last, invented


@kernel()
def _code_lengths(counts: Ints, lengths: Ints, trees: Trees) -> tuple[int, int]:
    """Set `lengths` of the codes; the last symbol that has one, and the bits of all symbols."""
    heap, children, n_codes = trees.heap, trees.children, len(counts)
    most = _MAX_RUN_BITS if n_codes == _RUN_CODES else _MAX_BITS
    n, last, invented = _leaves(counts, heap)
    lowest = 1
    while 2 * lowest <= n:
        lowest *= 2
    heap[n + 1 : 2 * lowest] = _NONE
    for place in range(n // 2, 0, -1):
        _sink(heap, lowest, place, heap[place])
    bits = -invented
    n_joined = n - 1
    for joined in range(n_joined):
        first = heap[1]
        last_node, heap[n] = heap[n], _NONE
        n -= 1
        if n < lowest:
            lowest >>= 1
        _sink(heap, lowest, 1, last_node)
        second = heap[1]
        children[2 * joined] = first & _NODE
        children[2 * joined + 1] = second & _NODE
        frequency = (first >> _FREQUENCY) + (second >> _FREQUENCY)
        height = max((first >> _HEIGHT) & 31, (second >> _HEIGHT) & 31) + 1
        bits += frequency
        _sink(heap, lowest, 1, frequency << _FREQUENCY | height << _HEIGHT | (n_codes + joined))
    lengths[:n_codes] = 0
    trees.depths[n_joined - 1] = 0
    longest = 0
    for joined in range(n_joined - 1, -1, -1):
        depth = trees.depths[joined] + 1
        longest = max(longest, depth)
        for child in (children[2 * joined], children[2 * joined + 1]):
            if child >= n_codes:
                trees.depths[child - n_codes] = depth
            else:
                lengths[child] = depth
    if longest > most:
        _shorten(n_joined, n_codes, most, lengths, trees)
        bits = -invented
        for symbol in range(last + 1):
            bits += lengths[symbol] * max(counts[symbol], 1)
    return last, bits


@kernel()
def _shorten(n_joined: int, n_codes: int, most: int, lengths: Ints, trees: Trees) -> None:
    """Cut the codes down to `most` bits by zlib's rule, which is not the optimal one."""
    children, depths, per_length = trees.children, trees.depths, trees.per_length
    per_length[:] = 0
    depths[n_joined - 1] = 0
    overflow = 0
    for joined in range(n_joined - 1, -1, -1):
        depth = depths[joined] + 1
        for child in (children[2 * joined], children[2 * joined + 1]):
            overflow += depth > most
            if child >= n_codes:
                depths[child - n_codes] = min(depth, most)
            else:
                per_length[min(depth, most)] += 1
    while overflow > 0:
        length = most - 1
        while per_length[length] == 0:
            length -= 1
        per_length[length] -= 1
        per_length[length + 1] += 2
        per_length[most] -= 1
        overflow -= 2
    at = 0
    for length in range(most, 0, -1):
        left = per_length[length]
        while left > 0:
            if children[at] < n_codes:
                lengths[children[at]] = length
                left -= 1
            at += 1


@kernel()
def _count_runs(lengths: Ints, last: int, runs: Ints) -> int:
    """Count the symbols that tell the code lengths up to `last`; their extra bits."""
    extra = 0
    before, at = -1, 0
    while at <= last:
        length = lengths[at]
        most = 138 if length == 0 else (6 if length == before else 7)
        least = 3 if length == 0 or length == before else 4
        n = 1
        while n < most and at + n <= last and lengths[at + n] == length:
            n += 1
        if n < least:
            runs[length] += n
        elif length != 0:
            runs[length] += length != before
            runs[_REPEAT] += 1
            extra += 2
        elif n <= 10:
            runs[_ZEROS] += 1
            extra += 3
        else:
            runs[_MANY_ZEROS] += 1
            extra += 7
        before = length
        at += n
    return extra


@kernel()
def dynamic_bits(literals: Ints, distances: Ints, trees: Trees) -> int:
    """Bits of a block with codes of its own: the codes, and all symbols without extra bits.

    Args:
        literals: how often each literal, length and the block's end occurs, shape (286,).
        distances: how often each distance occurs, shape (30,).
        trees: memory to work in.
    """
    trees.runs[:] = 0
    last, bits = _code_lengths(literals, trees.lengths, trees)
    bits += _count_runs(trees.lengths, last, trees.runs)
    last, more = _code_lengths(distances, trees.lengths, trees)
    bits += more + _count_runs(trees.lengths, last, trees.runs)
    _, more = _code_lengths(trees.runs, trees.run_lengths, trees)
    n_told = _RUN_CODES
    while n_told > 4 and trees.run_lengths[_RUN_ORDER[n_told - 1]] == 0:
        n_told -= 1
    total: int = bits + more + 5 + 5 + 4 + 3 * n_told
    return total
