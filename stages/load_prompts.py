"""Take prompts from files: JSON lines or lists, CSV, TSV, Parquet, Arrow, Hugging Face datasets.

A record gives a prompt as a text or as a conversation, whose turns are written in OpenAI's form
(`role`, `content`) or in ShareGPT's (`from`, `value`). Where no field is named, the first that the
record has is taken, conversations first: messages, conversations, conversation, prompt,
instruction, question, query. A field of either name may hold a text or a conversation. Beside an
`instruction` taken that way, a non-empty `input` is its second paragraph, as in Alpaca's data.
With a field named, the record's other fields neither count for the row's identity nor can they
spoil it. Gold answers and constraints for `verify` come along where their fields are named.

Reads: files; `RAW_RECORD` and its place.
Writes: messages, ending on a user turn; source; gold_answers and constraints, empty where the
    recipe names no field for them; lineage, empty.
Drops: `bad_record` (unreadable, or without a usable prompt), `lone_surrogate`, `nul_character`,
    `bad_roles`, `empty_prompt`, `ends_on_assistant`, `bad_answer`, `bad_constraints`.
    With `on_bad_record: fail` the first of them ends the run instead.
Cost: one pass over the records, no model.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from schemas.batch import Batch, Row
from schemas.columns import CONSTRAINTS, GOLD_ANSWERS, LINEAGE, MESSAGES, ROW_ID, SOURCE
from schemas.stage import Context, Records, Stage
from stages import _expectations as expectations
from stages._records import (
    ANY_FORM,
    PROMPT_FIELDS,
    BadRecord,
    FileConfig,
    Form,
    Turn,
    checked,
    field_among,
    load,
    prompt_turns,
    records,
    with_system,
)


class Config(FileConfig):
    """Settings of `load_prompts`."""

    prompt: str | None = Field(
        None, description="Name of the field that holds the prompt as a text."
    )
    messages: str | None = Field(
        None, description="Name of the field that holds it as a conversation."
    )
    answer: str | None = Field(
        None,
        description="Name of the field with the gold answer, or with a list of them, any of which "
        "will do. Of `... #### 42`, as in GSM8K, `verify` takes what follows.",
    )
    constraints: str | None = Field(
        None,
        description="Name of the field with the constraints: a list of objects as under "
        "`constraints` in `verify`, or a list of kinds or IFEval ids.",
    )
    constraint_arguments: str | None = Field(
        None,
        description="Name of the field with the settings of those kinds, one object each; `kwargs` "
        "in IFEval's files.",
    )
    trim_answer: bool = Field(
        False, description="Cut off what follows a conversation's last user turn."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        if self.prompt is not None and self.messages is not None:
            raise ValueError("`prompt` and `messages` are both set; a prompt comes from one field")
        if self.constraint_arguments is not None and self.constraints is None:
            raise ValueError("`constraint_arguments` has no use without `constraints`")
        return self


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Turn each record into a prompt; see the module's text.

    Raises:
        InputError: a bad record, with `on_bad_record: fail`.
    """

    def make(row_id: str, record: Row) -> Row:
        return {
            ROW_ID.name: row_id,
            MESSAGES.name: _prompt(record, config),
            SOURCE.name: context.stage if config.label is None else config.label,
            GOLD_ANSWERS.name: _gold_answers(record, config),
            CONSTRAINTS.name: _constraints(record, config),
            LINEAGE.name: [],
        }

    return load(batch, config, STAGE.writes, make, "prompt")


def _gold_answers(record: Row, config: Config) -> list[str]:
    if config.answer is None:
        return []
    try:
        return expectations.gold_answers(record, config.answer)
    except ValueError as error:
        raise BadRecord("bad_answer", str(error)) from error


def _constraints(record: Row, config: Config) -> list[Row]:
    if config.constraints is None:
        return []
    try:
        return expectations.constraints(record, config.constraints, config.constraint_arguments)
    except ValueError as error:
        raise BadRecord("bad_constraints", str(error)) from error


def _prompt(record: Row, config: Config) -> list[Turn]:
    advice = "say which one with `prompt` or `messages`"
    name = config.messages or config.prompt or field_among(record, PROMPT_FIELDS, advice)
    unfit: Form | None = "text" if config.messages else "list of turns" if config.prompt else None
    forms = [form for form in ANY_FORM if form != unfit]
    turns = with_system(prompt_turns(record, name, forms), record, config)
    how = "to cut off what follows the last user turn, set `trim_answer: true`"
    return checked(turns, None if config.trim_answer else how)


def feed(config: Config) -> Records:
    """The records to read: those fields alone that are named, so that others move no identity."""
    named = config.messages or config.prompt
    beside = (
        config.system_field,
        config.answer,
        config.constraints,
        config.constraint_arguments,
    )
    return records(config, (named, *filter(None, beside)) if named else ())


STAGE = Stage(
    name="load_prompts",
    version=2,
    summary="Read prompts from files or a Hugging Face dataset",
    config=Config,
    run=run,
    effect="source",
    writes=(MESSAGES, SOURCE, GOLD_ANSWERS, CONSTRAINTS, LINEAGE),
    feed=feed,
)
