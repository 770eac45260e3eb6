"""How many rows each stratum of a selection gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

Sizes = Mapping[str, int]
"""Rows of each stratum."""


def proportional_parts(wanted: int, sizes: Sizes) -> dict[str, int]:
    """`wanted` rows divided by the sizes of the strata; what is over goes to largest remainders.

    Equal remainders go by name. No stratum gets more than it has where `wanted` is at most all.
    """
    total = max(sum(sizes.values()), 1)
    exact = {name: Fraction(wanted * size, total) for name, size in sizes.items()}
    parts = {name: math.floor(share) for name, share in exact.items()}
    order = sorted(sizes, key=lambda name: (parts[name] - exact[name], name))
    for name in order[: wanted - sum(parts.values())]:
        parts[name] += 1
    return parts


def equal_parts(wanted: int, sizes: Sizes) -> dict[str, int]:
    """`wanted` rows, as many of each stratum as of any other, as far as each one has them.

    What is over after an equal division goes to the first by name.
    """
    parts = dict.fromkeys(sizes, 0)
    open_strata = sorted(sizes, key=lambda name: (sizes[name], name))
    left = min(wanted, sum(sizes.values()))
    while open_strata:
        each = left // len(open_strata)
        if sizes[open_strata[0]] > each:
            break
        smallest = open_strata.pop(0)
        parts[smallest] = sizes[smallest]
        left -= sizes[smallest]
    for place, name in enumerate(sorted(open_strata)):
        parts[name] = left // len(open_strata) + (place < left % len(open_strata))
    return parts


def share_counts(kept: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Shares of the rows that are kept, as counts, rounded down."""
    # As a decimal: 0.29 of 100 is 29, not a little less.
    return {name: math.floor(Fraction(str(share)) * kept) for name, share in shares.items()}


def filled(quotas: Mapping[str, int], sizes: Sizes) -> tuple[dict[str, int], tuple[str, ...]]:
    """What of each quota there are rows for, and a note for each that stays short."""
    parts = {name: min(quota, sizes.get(name, 0)) for name, quota in quotas.items()}
    notes = [
        f"the quota of `{name}` asks for {quota} rows and {parts[name]} came: all are kept"
        for name, quota in quotas.items()
        if parts[name] < quota
    ]
    return parts, tuple(notes)
