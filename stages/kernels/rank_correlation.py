"""How alike two orders of the same rows are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where one side is constant."""
    ranks = [rankdata(values) for values in (first, second)]
    a, b = (rank - rank.mean() for rank in ranks) if len(ranks[0]) else ranks
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else None
