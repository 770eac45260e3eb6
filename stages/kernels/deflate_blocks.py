"""What zlib counts of a block, and the bits that the block takes in the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.deflate_trees import DISTANCE_CODES, END_BLOCK, Ints, Trees, dynamic_bits
from stages.kernels.jit import kernel

LEAST_MATCH, MOST_MATCH = 3, 258
WINDOW = 1 << 15


def _code_of(widths: list[int], start: int, size: int) -> NDArray[np.int32]:
    """Which code a value has, where code i stands for 2 ** widths[i] values."""
    codes = np.repeat(np.arange(len(widths)), [1 << width for width in widths])
    return np.concatenate((np.zeros(start, np.int32), codes)).astype(np.int32)[:size]


_LENGTH_WIDTHS = [0] * 4 + [width for width in range(6) for _ in range(4)]
_LENGTH_CODE = _code_of(_LENGTH_WIDTHS, LEAST_MATCH, MOST_MATCH)
_LENGTH_CODE = np.append(_LENGTH_CODE, np.int32(len(_LENGTH_WIDTHS)))  # 258 has one of its own
_LENGTH_EXTRA = np.array([*_LENGTH_WIDTHS, 0], dtype=np.int64)
_DISTANCE_EXTRA = np.array([max(0, code // 2 - 1) for code in range(DISTANCE_CODES)], np.int64)
_DISTANCE_CODE = _code_of(list(_DISTANCE_EXTRA), 1, WINDOW + 1)


@kernel()
def count_literal(byte: int, literals: Ints) -> int:
    """Count a literal; its bits with the fixed codes."""
    literals[byte] += 1
    return 8 if byte < 144 else 9


@kernel()
def count_match(length: int, distance: int, literals: Ints, distances: Ints) -> tuple[int, int]:
    """Count a match; its bits with the fixed codes, and its extra bits."""
    length_code = _LENGTH_CODE[length]
    distance_code = _DISTANCE_CODE[distance]
    literals[END_BLOCK + 1 + length_code] += 1
    distances[distance_code] += 1
    fixed = 12 if length_code < 23 else 13
    return fixed, _LENGTH_EXTRA[length_code] + _DISTANCE_EXTRA[distance_code]


@kernel()
def end_block(
    literals: Ints,
    distances: Ints,
    fixed_bits: int,
    extra_bits: int,
    stored: int,
    bits: int,
    trees: Trees,
) -> int:
    """The bits up to the end of a block: stored, with the fixed codes or with its own.

    Args:
        literals, distances: the block's counts; that of its end is set.
        fixed_bits: all its symbols with the fixed codes, without extra bits.
        extra_bits: those.
        stored: its bytes; -1 if they are gone from the window.
        bits: of the blocks before.
        trees: memory to work in.
    """
    literals[END_BLOCK] = 1
    own = dynamic_bits(literals, distances, trees) + extra_bits
    fixed = fixed_bits + 7 + extra_bits
    own_bytes, fixed_bytes = (own + 3 + 7) >> 3, (fixed + 3 + 7) >> 3
    if stored >= 0 and stored + 4 <= min(own_bytes, fixed_bytes):
        return ((bits + 3 + 7) >> 3 << 3) + 32 + 8 * stored
    return bits + 3 + (fixed if fixed_bytes <= own_bytes else own)
