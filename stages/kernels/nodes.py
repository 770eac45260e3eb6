"""Rows with the same content as one node, so that n equal rows are not n² pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    ranks = np.lexsort((second[order], first[order]))  # within a node from the best to the worst
    sorted_first, sorted_second = first[order[ranks]], second[order[ranks]]
    opens = np.ones(len(ranks), bool)
    opens[1:] = (sorted_first[1:] != sorted_first[:-1]) | (sorted_second[1:] != sorted_second[:-1])
    by_rank = np.argsort(ranks[opens])
    number = np.empty(len(by_rank), np.int64)
    number[by_rank] = np.arange(len(by_rank))
    of = np.empty(len(order), np.int64)
    of[order[ranks]] = number[np.cumsum(opens) - 1]
    return Collapsed(order[ranks[opens][by_rank]], of)
