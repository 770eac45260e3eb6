"""Rows with the same content as one node, so that n equal rows are not n² pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.kernels.equal import first_equal
from stages.kernels.tokens import Hashes, Ints


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Nodes, numbered from the best to the worst.

    Attributes:
        best: i64[nodes], the best row of each.
        of: i64[rows], the node of each row.
    """

    best: Ints
    of: Ints


def collapse(first: Hashes, second: Hashes, order: Ints) -> Collapsed:
    """Make one node of rows with equal hashes.

    Args:
        first, second: u64[rows], 128 bits that stand for the content of each row.
        order: i64[rows], the rows from the best to the worst.
    """
    firsts = first_equal(first[order], second[order])
    is_best = firsts == np.arange(len(order))
    numbers = np.cumsum(is_best) - 1
    of = np.empty(len(order), np.int64)
    of[order] = numbers[firsts]
    return Collapsed(order[is_best], of)
