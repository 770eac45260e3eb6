"""What a recipe may say of `isa`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.stage import StageConfig
from stages._keeping import KEEP, Keep
from stages._texts import Texts


class Config(StageConfig):
    """Settings of `isa`."""

    keep: Keep = Field(description=KEEP)
    mode: Literal["paper", "normalised"] = Field(
        "paper",
        description="`paper` keeps the least likely rows, as the paper's formula does; "
        "`normalised` makes its probabilities sum to one and keeps the likeliest.",
    )
    components: int = Field(2, ge=1, le=100, description="Gaussians in the mixture.")
    covariance: Literal["diag", "full", "tied", "spherical"] = Field(
        "diag",
        description="Shape of the Gaussians. `full` needs more rows for each of them than "
        "dimensions; use it with `pca`.",
    )
    pca: int | None = Field(
        None,
        ge=1,
        description="Fit in so many principal directions, each scaled to variance one; all "
        "dimensions as they are if not set.",
    )
    regularisation: float = Field(
        1e-6, gt=0, description="Added to each variance, so that no Gaussian closes in on one row."
    )
    starts: int = Field(
        1, ge=1, le=100, description="Fits from so many k-means starts; the likeliest counts."
    )
    fit_rows: int = Field(
        50_000, ge=2, description="Fit to at most so many rows, drawn by the seed; all are scored."
    )
    stability_seeds: int = Field(
        2, ge=0, le=20, description="Further seeds to repeat the fit with and compare the choice."
    )
    pair: Literal["whole", "max", "mean"] = Field(
        "whole",
        description="What a row is: one unit (`whole`), or a pair whose two answers are a unit "
        "each, with the greater of their deltas (`max`) or the mean (`mean`).",
    )
    text: Texts = Field(
        ("prompt", "chosen"),
        description="The texts whose length the selection is compared with: those embedded.",
    )
