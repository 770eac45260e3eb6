"""What a recipe may say of `deita`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.stage import ModelRole, StageConfig
from stages._keeping import KEEP, Keep


class Config(StageConfig):
    """Settings of `deita`."""

    model: ModelRole = Field(description="The model that grades; it must give label probabilities.")
    answer: Literal["chosen", "rejected", "answer"] = Field(
        "chosen", description="The column with the answer to the last user turn."
    )
    keep: Keep | None = Field(
        None, description=f"{KEEP} If not set, all that are unlike the rows above them."
    )
    max_cosine: float = Field(
        0.9,
        gt=0,
        le=1,
        description="A row more alike than this to one that is kept is dropped; at 1 none is.",
    )
    min_label_mass: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Least probability that the model must give to the six grades together. Below "
        "it the model was about to say something else, and there is no grade.",
    )
