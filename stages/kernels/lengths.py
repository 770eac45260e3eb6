"""Scores measured against those of texts that are about as long."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.stats import siegelslopes

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

    Fewer than `2 * ROWS_PER_GROUP` rows make one group; what is usual is then a straight line in
    the logarithm of the length, with the repeated median of the slopes of pairs of rows (Siegel,
    1982).

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
    is_one = len(centres) == 1
    usual = (
        _straight(places, ordered) if is_one else _line(places, centres, _medians(ordered, bounds))
    )
    residuals = ordered - usual
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


def _straight(places: Floats, values: Floats) -> Floats:
    """One line through all, which few outliers do not turn."""
    if places[0] == places[-1]:
        return np.full(len(values), np.median(values))
    slope, level = siegelslopes(values, places)
    found: Floats = level + slope * places
    return found


def _line(places: Floats, centres: Floats, levels: Floats) -> Floats:
    """Interpolation, continued beyond the ends."""
    found: Floats = np.interp(places, centres, levels)
    for beyond, end, inner in ((places < centres[0], 0, 1), (places > centres[-1], -1, -2)):
        slope = (levels[inner] - levels[end]) / (centres[inner] - centres[end])
        found[beyond] = levels[end] + slope * (places[beyond] - centres[end])
    return found
