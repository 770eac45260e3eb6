r"""Take preference pairs from files: what a user or somebody else has labelled before.

A record has the fields `chosen` and `rejected`, each in one of these forms:

    a text, or one assistant turn      the prompt is in a field of its own: a text or a conversation
    a whole conversation               the turns that both begin with are the prompt
    a transcript                       `\n\nHuman: ...\n\nAssistant: ...` (HH-RLHF), likewise
    a text that opens with its prompt  with `implicit_prompt`: the words that both begin with

Turns are in OpenAI's form or in ShareGPT's. So TRL's standard and conversational rows, explicit and
implicit, UltraFeedback-binarized and HH-RLHF are read as they are. Where no prompt field is named,
the first that the record has is taken: messages, conversations, conversation, prompt, instruction
(with its `input`), question, query; and scores are found by their usual names. With a prompt field
named, only the fields named count, also for the row's identity. Beside whole conversations a prompt
field is not looked at.

Reads: files; `RAW_RECORD` and its place.
Writes: messages, chosen, rejected; their ids, and models or `given`; scores and margin, null where
    the record has none; p_chosen, null; labeller, the step's name; source; lineage, empty; the
    fields that `keep` and `embedding` name.
Drops: `bad_record` (unreadable, or without a usable prompt or answer), `lone_surrogate`,
    `nul_character`, `bad_roles`, `empty_prompt`, `ends_on_assistant`, `several_answers` (the two
    part before the last turn), `no_prompt` (they begin with nothing in common), `empty_text`,
    `same_text`, `bad_field`, `negative_margin` (the scores prefer the rejected answer).
    With `on_bad_record: fail` the first of them ends the run instead.
Cost: one pass over the records, no model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Row
from schemas.columns import (
    CHOSEN,
    CHOSEN_ID,
    CHOSEN_MODEL,
    LABELLER,
    LINEAGE,
    MARGIN,
    MESSAGES,
    P_CHOSEN,
    REJECTED,
    REJECTED_ID,
    REJECTED_MODEL,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SOURCE,
)
from schemas.ids import child_id
from schemas.layouts import is_blank, same_text
from schemas.stage import Context, Records, Stage
from stages._kept_fields import Keep, is_number, kept_columns, kept_values
from stages._recorded_pairs import read_pair
from stages._records import BadRecord, FileConfig, checked, load, records, with_system

SCORE_FIELDS = (
    ("score_chosen", "score_rejected"),
    ("chosen_rating", "rejected_rating"),
    ("chosen_score", "rejected_score"),
    ("chosen-rating", "rejected-rating"),
)
"""Names under which datasets publish the two scores, where the recipe names none."""


class Config(FileConfig):
    """Settings of `load_pairs`."""

    prompt: str | None = Field(None, description="Name of the field with the prompt.")
    chosen: str = Field("chosen", description="Name of the field with the preferred answer.")
    rejected: str = Field("rejected", description="Name of the field with the other answer.")
    implicit_prompt: bool = Field(
        False,
        description="The two texts begin with their prompt: what they have in common, up to the "
        "last whole word.",
    )
    score_chosen: str | None = Field(
        None, description="Name of the field with the preferred answer's score."
    )
    score_rejected: str | None = Field(
        None, description="Name of the field with the other answer's score."
    )
    keep: Keep = Field({})
    embedding: str | None = Field(
        None, description="Name of a field with a vector, which becomes the column `embedding`."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.score_chosen is None) != (self.score_rejected is None):
            raise ValueError("`score_chosen` and `score_rejected` go together: name both or none")
        if self.implicit_prompt and self.prompt is not None:
            raise ValueError("`implicit_prompt` and `prompt` are both set; a pair has one prompt")
        return self


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Turn each record into a pair; see the module's text.

    Raises:
        InputError: a bad record, with `on_bad_record: fail`.
    """

    def make(row_id: str, record: Row) -> Row:
        return _pair(row_id, record, config, context.stage)

    return load(batch, config, _fitted(config).writes, make, "pair")


def _pair(row_id: str, record: Row, config: Config, stage: str) -> Row:
    pair = read_pair(record, config.prompt, config.chosen, config.rejected, config.implicit_prompt)
    turns = checked(with_system(pair.prompt, record, config), "the prompt must end on a user turn")
    for name, text in ((config.chosen, pair.chosen), (config.rejected, pair.rejected)):
        if is_blank(text):
            raise BadRecord("empty_text", f"the answer in field `{name}` is empty")
    if same_text(pair.chosen, pair.rejected):
        raise BadRecord("same_text", "`chosen` and `rejected` are the same text")
    return {
        ROW_ID.name: row_id,
        MESSAGES.name: turns,
        CHOSEN.name: pair.chosen,
        REJECTED.name: pair.rejected,
        CHOSEN_ID.name: child_id(row_id, stage, CHOSEN.name),
        REJECTED_ID.name: child_id(row_id, stage, REJECTED.name),
        CHOSEN_MODEL.name: _model(record, CHOSEN_MODEL.name),
        REJECTED_MODEL.name: _model(record, REJECTED_MODEL.name),
        **_scores(record, config),
        P_CHOSEN.name: None,
        LABELLER.name: stage,
        SOURCE.name: stage if config.label is None else config.label,
        LINEAGE.name: [],
        **kept_values(record, config.keep, config.embedding),
    }


def _model(record: Row, name: str) -> str:
    model = record.get(name)
    return model if isinstance(model, str) and model else "given"


def _scores(record: Row, config: Config) -> dict[str, Any]:
    if config.score_chosen is not None and config.score_rejected is not None:
        names: tuple[str, str] | None = config.score_chosen, config.score_rejected
    else:
        names = next((pair for pair in SCORE_FIELDS if set(pair) <= record.keys()), None)
    if names is None or all(record.get(name) is None for name in names):
        return dict.fromkeys((SCORE_CHOSEN.name, SCORE_REJECTED.name, MARGIN.name))
    chosen, rejected = (_score(record, name) for name in names)
    if chosen < rejected:
        message = f"the scores prefer the rejected answer: {chosen:g} is less than {rejected:g}"
        raise BadRecord("negative_margin", message)
    return {
        SCORE_CHOSEN.name: chosen,
        SCORE_REJECTED.name: rejected,
        MARGIN.name: chosen - rejected,
    }


def _score(record: Row, name: str) -> float:
    if is_number(score := record.get(name)):
        return float(score)
    raise BadRecord("bad_field", f"field `{name}` holds {score!r:.60}, which is no number")


def feed(config: Config) -> Records:
    """The records to read: with a prompt field named, only the fields that are named."""
    if config.prompt is None:
        return records(config)
    named = (
        config.prompt,
        config.chosen,
        config.rejected,
        config.system_field,
        config.score_chosen,
        config.score_rejected,
        *config.keep,
        config.embedding,
    )
    return records(config, tuple(dict.fromkeys(name for name in named if name is not None)))


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, writes=(*STAGE.writes, *kept_columns(config.keep, config.embedding)))


STAGE = Stage(
    name="load_pairs",
    version=1,
    summary="Read preference pairs from files or a Hugging Face dataset",
    config=Config,
    run=run,
    effect="source",
    writes=(
        MESSAGES,
        CHOSEN,
        REJECTED,
        CHOSEN_ID,
        REJECTED_ID,
        CHOSEN_MODEL,
        REJECTED_MODEL,
        SCORE_CHOSEN,
        SCORE_REJECTED,
        MARGIN,
        P_CHOSEN,
        LABELLER,
        SOURCE,
        LINEAGE,
    ),
    feed=feed,
    fitted=_fitted,
)
