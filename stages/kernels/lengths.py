"""Scores measured against those of texts that are about as long."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROWS_PER_GROUP = 50
_MOST_GROUPS = 40
_TO_SD = 1.4826
"""Times the median deviation: the standard deviation, if the scores are normally distributed."""
_LEAST_SPREAD = 1e-6


def length_matched(scores: Floats, lengths: NDArray[np.int64]) -> Floats:
    """How many standard deviations each score lies above what is usual for its length.

    The rows are put into groups of about equal size by length, equal lengths together. The usual
    score is the median of a group, and the standard deviation comes from the median deviation, so
    that a few high scores in a group raise neither; between the groups' median lengths both are
    interpolated in the logarithm of the length. Beyond the outermost the usual score goes on along
    the same line.

    Fewer than `2 * ROWS_PER_GROUP` rows make one group, which takes no account of length.

    Args:
        scores: shape (n,).
        lengths: shape (n,), in any unit.
    """
    if len(scores) == 0:
        return np.zeros(0)
    order = np.lexsort((scores, lengths))
    places, ordered = np.log1p(lengths[order].astype(np.float64)), scores[order]
    bounds = _bounds(lengths[order])
    centres = _medians(places, bounds)
    residuals = ordered - _line(places, centres, _medians(ordered, bounds))
    spread = _TO_SD * np.interp(places, centres, _medians(np.abs(residuals), bounds))
    found = np.empty(len(scores))
    found[order] = residuals / np.maximum(spread, _LEAST_SPREAD)
    return found


def _bounds(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each group starts in the ordered lengths, and where the last ends."""
    n = len(lengths)
    groups = min(max(n // ROWS_PER_GROUP, 1), _MOST_GROUPS)
    wanted = lengths[np.arange(groups) * n // groups]
    starts = np.unique(np.searchsorted(lengths, wanted))
    return np.append(starts, n)


def _medians(values: Floats, bounds: NDArray[np.int64]) -> Floats:
    groups = itertools.pairwise(bounds)
    return np.array([np.median(values[low:high]) for low, high in groups])


def _line(places: Floats, centres: Floats, levels: Floats) -> Floats:
    """Interpolation, continued beyond the ends."""
    found: Floats = np.interp(places, centres, levels)
    if len(centres) < 2:
        return found
    for beyond, end, inner in ((places < centres[0], 0, 1), (places > centres[-1], -1, -2)):
        slope = (levels[inner] - levels[end]) / (centres[inner] - centres[end])
        found[beyond] = levels[end] + slope * (places[beyond] - centres[end])
    return found
