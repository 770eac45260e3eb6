"""What is wanted, as a user shows it: a file with examples of a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from schemas.errors import InputError
from schemas.stage import Given, Location, Records, StageConfig
from stages._given_texts import FileFormat, given_texts, usual_field

if TYPE_CHECKING:
    import pyarrow as pa

MOST_TARGETS = 1 << 20
"""Sums over more could overflow."""

TARGET = "target"
_WHOSE = "the target"


class TargetConfig(StageConfig):
    """Settings of a stage that compares rows with a target."""

    target: Location = Field(description="A file, a glob or a folder with the target's examples.")
    target_format: FileFormat = Field("auto", description="`auto` goes by the file's ending.")
    target_field: str | None = Field(
        None,
        min_length=1,
        description="Name of the field with an example's text; if not set, the first of text, "
        "prompt, instruction, question, query, completion, response, output, answer that the "
        "first record has.",
    )


class ByExampleConfig(TargetConfig):
    """Settings of one that compares each row with each example."""

    over_targets: Literal["mean", "max", "top_m"] = Field(
        "mean",
        description="A row's score: the mean of what it reaches with each example, the highest, or "
        "the mean of the `top_m` highest. A mean hides a row that is close to one example only.",
    )
    top_m: int | None = Field(None, ge=1, description="With `over_targets: top_m`: how many.")

    @model_validator(mode="after")
    def _top_m_is_used(self) -> Self:
        if (self.over_targets == "top_m") != (self.top_m is not None):
            raise ValueError("`top_m` and `over_targets: top_m` go together")
        return self

    def n_best(self, n_targets: int) -> int:
        """How many of a row's values, the highest, its score is the mean of."""
        most = {"mean": n_targets, "max": 1}
        return most.get(self.over_targets, min(self.top_m or 1, n_targets))


def given_target(config: TargetConfig) -> Mapping[str, Given]:
    """The target's file, as `Stage.given`."""
    return {TARGET: Records(path=config.target, format=config.target_format)}


def target_texts(records: pa.Table, field: str | None) -> list[str]:
    """The texts of a target file, all of which have UTF-8; empty ones are left out.

    Raises:
        InputError: no records, a record that cannot be read or lacks the field, or no text in any.
    """
    if not len(records):
        raise InputError("The target file has no records; it needs one example at least.")
    name = field or usual_field(records)
    found = list(given_texts(records, (name,), _WHOSE))
    texts = [_encodable(text.text, text.place) for text in found if text.text]
    if not texts:
        raise InputError(f"The target file has no text: `{name}` is empty in every record.")
    if len(texts) > MOST_TARGETS:
        raise InputError(f"The target file has {len(texts)} examples, more than {MOST_TARGETS}.")
    return texts


def _encodable(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: half of a surrogate pair at character {error.start} of the target's text, "
            "which has no UTF-8: mend the record or take it out"
        ) from error
    return text
