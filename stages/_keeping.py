"""How many rows a selection keeps: a count, or a share of the rows that come."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Keep = Count | Share
"""The setting `keep` of a stage."""

KEEP = "How many rows stay: a count from 1, or a share of them between 0 and 1, rounded up."
"""Its description."""


def n_kept(keep: int | float, n_rows: int) -> int:
    """How many of `n_rows` rows stay: a share is rounded up, a count is at most all."""
    if isinstance(keep, int):
        return min(keep, n_rows)
    # As a decimal: 0.07 times 100 is 7, not a little more.
    return math.ceil(Fraction(str(keep)) * n_rows)


def keeping_notes(keep: int | float, n_rows: int) -> tuple[str, ...]:
    """What to tell a user who asks for more rows than come; nothing where enough do."""
    if isinstance(keep, int) and keep > n_rows:
        return (f"`keep` asks for {keep} rows and {n_rows} came: all are kept",)
    return ()
