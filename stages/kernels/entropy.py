"""What entropy each row takes with it, as ISA counts it.

Khera et al., 2024, "Efficient Alignment of LLMs via Data Sampling" (PMLR 262).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Mode = Literal["paper", "normalised"]
Pooling = Literal["max", "mean"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Of rows, in their order.

    Attributes:
        log_likelihoods, p, deltas: of each row; see `score_rows`.
        ranking: places of the rows, first the one that takes most entropy with it.
    """

    log_likelihoods: Doubles
    p: Doubles
    deltas: Doubles
    ranking: NDArray[np.int64]

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Place of each row in the ranking, from 1."""
        ranks = np.empty(len(self.ranking), dtype=np.int64)
        ranks[self.ranking] = np.arange(1, len(ranks) + 1)
        return ranks


def entropy_terms(log_likelihoods: Doubles, mode: Mode) -> tuple[Doubles, Doubles]:
    """What the method calls p, and the entropy that a unit takes with it, -p log p.

    log p is the log-likelihood scaled so that the least of all is 0 and the greatest 1; p is then
    from 1 to e. `normalised` makes p sum to one. Of equal likelihoods all scaled ones are 0.

    Args:
        log_likelihoods: finite, of any shape, at least one.
    """
    low, high = log_likelihoods.min(), log_likelihoods.max()
    log_p = (log_likelihoods - low) / (high - low) if high > low else 0 * log_likelihoods
    if mode == "normalised":
        log_p = log_p - np.log(np.exp(log_p).sum())
    p = np.exp(log_p)
    return p, 0.0 - p * log_p  # no negative zero


def score_rows(log_likelihoods: Doubles, mode: Mode, pooling: Pooling) -> Scores:
    """Score rows of some units each.

    Args:
        log_likelihoods: [rows, units].
        pooling: a row has the values of its unit of greatest delta, the first of equals, or the
            means over its units.
    """
    p, deltas = entropy_terms(log_likelihoods, mode)
    if pooling == "max":
        best = deltas.argmax(axis=1)[:, None]
        log_likelihoods, p, deltas = (
            np.take_along_axis(x, best, 1)[:, 0] for x in (log_likelihoods, p, deltas)
        )
    else:
        log_likelihoods, p, deltas = (x.mean(axis=1) for x in (log_likelihoods, p, deltas))
    return Scores(log_likelihoods, p, deltas, _ranking(deltas, log_likelihoods, mode))


def _ranking(deltas: Doubles, log_likelihoods: Doubles, mode: Mode) -> NDArray[np.int64]:
    """The order by delta; rows that are equal in delta and likelihood keep theirs.

    An outlier brings the scaled likelihoods of all others so close together that rounding makes
    them equal: then the likelihoods themselves decide, with which delta falls, or rises.
    """
    sign = 1 if mode == "paper" else -1
    ranking: NDArray[np.int64] = np.lexsort((sign * log_likelihoods, -deltas))
    return ranking


def top_overlap(first: Scores, second: Scores, k: int) -> float:
    """Share of the first `k` rows of one ranking that are among those of another."""
    return len(np.intersect1d(first.ranking[:k], second.ranking[:k])) / k
