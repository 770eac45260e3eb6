"""The settings of `zipfit`, and which of them go together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stages._compression import LEVELS, Compressor
from stages._keeping import KEEP, Keep
from stages._targets import ByExampleConfig
from stages._texts import Texts


class Config(ByExampleConfig):
    """Settings of `zipfit`."""

    text: Texts = Field(("prompt",), description="The texts of a row that are compared.")
    keep: Keep | None = Field(None, description=f"{KEEP} The best stay; all if not set.")
    threshold: float | None = Field(
        None, gt=0, le=1, description="Rows that score less than this are dropped."
    )
    normalise: Literal["none", "length"] = Field(
        "none",
        description="`length` ranks by how far a score lies above what is usual for texts as long, "
        "since the plain score falls with length whatever the text.",
    )
    mode: Literal["exact", "elimination"] = Field(
        "exact",
        description="`elimination` leaves rows behind that cannot be among those to keep, seen "
        "from some of the targets; those that stay have exact scores.",
    )
    z: float = Field(
        3.0,
        gt=0,
        le=10,
        description="With `mode: elimination`: standard errors that a row is given on either side.",
    )
    compressor: Compressor = Field(
        "gzip",
        description="`gzip` at level 9 is exact and counted by a kernel; `zlib-ng` and `lz4` "
        "choose other rows, and need their packages.",
    )
    level: int = Field(9, ge=0, le=16, description="The compressor's level.")

    @model_validator(mode="after")
    def _level_is_one(self) -> Self:
        low, high = LEVELS[self.compressor]
        if self.level == 0 and low > 0:
            raise ValueError(
                f"level 0 of {self.compressor} stores and does not compress, so that rows would "
                f"be ranked by their length only; allowed are {low} to {high}"
            )
        if not low <= self.level <= high:
            raise ValueError(f"`level` of {self.compressor} is {low} to {high}, not {self.level}")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.keep is not None and self.threshold is not None:
            raise ValueError("`keep` and `threshold` are both set; a row stays by one of them")
        if self.normalise == "length" and self.threshold is not None:
            raise ValueError("`threshold` is one of plain scores; with `normalise` use `keep`")
        return self

    @model_validator(mode="after")
    def _elimination_can_be(self) -> Self:
        if self.mode == "exact":
            return self
        if self.keep is None and self.threshold is None:
            raise ValueError("`mode: elimination` without `keep` or `threshold` has no row to drop")
        if self.over_targets != "mean":
            raise ValueError("`mode: elimination` knows bounds of a mean, not of a highest value")
        if self.normalise != "none":
            raise ValueError("`normalise` needs the score of every row: use `mode: exact`")
        return self
