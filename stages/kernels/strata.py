"""Where rows stand in the groups that they are divided into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def places_within(
    groups: NDArray[np.int64], places: NDArray[np.int64], counted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The place of each row among the counted rows of its group, from 0; -1 for other rows.

    Args:
        groups: the group of each row, shape (n,).
        places: the place of each row among all, no two alike, shape (n,).
        counted: which rows count, shape (n,).
    """
    rows = np.flatnonzero(counted)
    rows = rows[np.lexsort((places[rows], groups[rows]))]
    ordered = groups[rows]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(rows)])
    sizes = np.diff(np.r_[starts, len(rows)])
    within = np.full(len(groups), -1, dtype=np.int64)
    within[rows] = np.arange(len(rows)) - np.repeat(starts, sizes)
    return within
