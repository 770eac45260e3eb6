"""Alignment of many texts with many targets by their gzip sizes at level 9."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.kernels.deflate import Bytes, new_tables
from stages.kernels.deflate_pairs import Targets, new_targets, pair_sizes, prepare_target
from stages.kernels.deflate_trees import Ints
from stages.kernels.jit import kernel

UNIT = 1 << 42
"""What an alignment of 1 is: as whole numbers they add up to the same sum in any order."""
MOST_TARGETS = 1 << 20
"""Alignments of so many targets add up without overflow."""


def aligned(alone: Ints, targets: Ints, both: Ints) -> Ints:
    """1 - NCD in units of 1 / UNIT, from compressed sizes; shapes must broadcast.

    NCD is (both - min(alone, target)) / max(alone, target).
    """
    longer, shorter = np.maximum(alone, targets), np.minimum(alone, targets)
    ratios = (longer - both + shorter) / longer * UNIT
    rounded: Ints = np.rint(ratios).astype(np.int64)
    return rounded


@kernel()
def _longest(offsets: Ints) -> int:
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    return longest


@kernel()
def prepared(data: Bytes, offsets: Ints) -> Targets:
    """Targets with all that can be known of them before there is a source.

    Args:
        data: their bytes, one after the other.
        offsets: where each starts in `data`, and where the last ends; shape (n + 1,).
    """
    # A copy that may be written: the kernels are compiled once for each kind of array.
    targets: Targets = new_targets(data.copy(), offsets)
    tables = new_tables(_longest(offsets))
    for which in range(len(offsets) - 1):
        prepare_target(targets, which, tables)
    return targets


@kernel()
def gzip_sizes(
    data: Bytes, offsets: Ints, targets: Targets, chosen: Ints
) -> tuple[Ints, NDArray[np.int64]]:
    """Gzip sizes of texts, shape (n,), and of each before each chosen target, shape (n, m)."""
    n = len(offsets) - 1
    room = _longest(offsets) + _longest(targets.offsets)
    tables, buffer = new_tables(room), np.zeros(room, np.uint8)
    alone, both = np.zeros(n, np.int64), np.zeros((n, len(chosen)), np.int64)
    for row in range(n):
        low, high = offsets[row], offsets[row + 1]
        buffer[: high - low] = data[low:high]
        alone[row] = pair_sizes(buffer, high - low, targets, chosen, both[row], tables)
    return alone, both
