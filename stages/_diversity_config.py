"""What a recipe may say of `diversity`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.stage import StageConfig
from stages._keeping import KEEP, Keep
from stages._texts import Texts

_RIDGE = 0.1


class Config(StageConfig):
    """Settings of `diversity`."""

    keep: Keep = Field(description=KEEP)
    method: Literal["facility_location", "k_center", "log_det"] = Field(
        "facility_location",
        description="`facility_location`: rows that stand for all others; `k_center`: none is far "
        "from all that stay; `log_det`: rows as unlike each other as can be.",
    )
    weight: str | None = Field(
        None,
        min_length=1,
        description="A column of numbers from 0, such as a quality. For `facility_location` how "
        "much it counts that a row is stood for, for `log_det` how much is gained by taking it.",
    )
    neighbours: int | None = Field(
        None,
        ge=1,
        description="For `facility_location`: of how many nearest rows of each the similarity "
        "counts. None: as many as make four million, and at least 32.",
    )
    greedy: Literal["lazy", "stochastic"] = Field(
        "lazy",
        description="For `facility_location`: `lazy` takes the best row of all each time, "
        "`stochastic` the best of a random sample: a little less is reached.",
    )
    ridge: float = Field(
        _RIDGE,
        gt=0,
        description="For `log_det`: what a row counts for, beside a weight of 1, if it repeats "
        "others.",
    )
    text: Texts = Field(
        ("prompt",),
        description="The texts whose length the choice is compared with: those embedded.",
    )

    @model_validator(mode="after")
    def _settings_of_the_method(self) -> Self:
        if self.method == "k_center" and self.weight is not None:
            raise ValueError("`weight` belongs to `facility_location` and `log_det`")
        if self.method != "facility_location" and (self.neighbours or self.greedy != "lazy"):
            raise ValueError("`neighbours` and `greedy` belong to method `facility_location`")
        if self.method != "log_det" and self.ridge != _RIDGE:
            raise ValueError("`ridge` belongs to method `log_det`")
        return self
