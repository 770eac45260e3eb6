"""Take answers from files: data to fine-tune on, with or without a label, or plain texts.

A record has its prompt and its answer in two fields, or both in one conversation that ends on the
answer. Turns are in OpenAI's form or in ShareGPT's. Where no field is named, a conversation is
taken from messages, conversations or conversation; else a prompt from prompt, instruction (with its
`input`), question or query, and an answer from completion, response, output or answer, each a text
or, as in TRL's rows, turns. With `desirable` a record's answer is marked, as KTO's rows are; with
`text` a record is one text and nothing else, which becomes the answer to no prompt.
With a field named, only the fields named count, also for the row's identity.

Reads: files; `RAW_RECORD` and its place.
Writes: messages, answer; source; lineage, empty; with `desirable` label, score (null), labeller
    (the step's name), ids, model and place; with `text` no messages; the fields that `keep` and
    `embedding` name.
Drops: `bad_record` (unreadable, or without a usable prompt or answer), `lone_surrogate`,
    `nul_character`, `bad_roles`, `empty_prompt`, `ends_on_assistant` (the prompt does), `no_answer`
    (the conversation ends on another turn), `empty_text`, `bad_field`.
    With `on_bad_record: fail` the first of them ends the run instead.
Cost: one pass over the records, no model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Row
from schemas.columns import ANSWER, LABELLER, LINEAGE, MESSAGES, ROW_ID, SOURCE
from schemas.ids import child_id
from schemas.layouts import LABEL, MODEL, ORDER, RESPONSE_ID, SCORE, is_blank
from schemas.stage import Context, Records, Stage
from stages._kept_fields import Keep, kept_columns, kept_values
from stages._records import (
    BadRecord,
    FileConfig,
    Turn,
    checked,
    field_among,
    load,
    prompt_turns,
    records,
    turns_of,
    value_of,
    with_system,
)
from stages._unary import place_of

CONVERSATION_FIELDS = ("messages", "conversations", "conversation")
QUESTION_FIELDS = ("prompt", "instruction", "question", "query")
ANSWER_FIELDS = ("completion", "response", "output", "answer")


class Config(FileConfig):
    """Settings of `load_answers`."""

    messages: str | None = Field(
        None, description="Name of the field with a conversation that ends on the answer."
    )
    prompt: str | None = Field(None, description="Name of the field with the prompt.")
    answer: str | None = Field(None, description="Name of the field with the answer.")
    text: str | None = Field(
        None, description="Name of the field with a plain text, which has no prompt."
    )
    desirable: str | None = Field(
        None,
        description="Name of the field that says by true or false whether the answer is desirable; "
        "`label` in KTO's rows.",
    )
    keep: Keep = Field({})
    embedding: str | None = Field(
        None, description="Name of a field with a vector, which becomes the column `embedding`."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.prompt is None) != (self.answer is None):
            raise ValueError("`prompt` and `answer` go together: name both or none")
        if sum(name is not None for name in (self.messages, self.prompt, self.text)) > 1:
            raise ValueError("`messages`, `prompt` and `text` exclude each other")
        if self.text is not None and self.desirable is not None:
            raise ValueError("`desirable` is said of an answer to a prompt; a `text` has none")
        return self


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Turn each record into an answer; see the module's text.

    Raises:
        InputError: a bad record, with `on_bad_record: fail`.
    """

    def make(row_id: str, record: Row) -> Row:
        return {
            ROW_ID.name: row_id,
            **_texts(record, config),
            SOURCE.name: context.stage if config.label is None else config.label,
            LINEAGE.name: [],
            **(_label(row_id, record, config.desirable, context.stage) if config.desirable else {}),
            **kept_values(record, config.keep, config.embedding),
        }

    return load(batch, config, _fitted(config).writes, make, "answer")


def _texts(record: Row, config: Config) -> Row:
    if config.text is not None:
        return {ANSWER.name: _not_blank(_text(value_of(record, config.text), config.text))}
    prompt, answer = _prompt_and_answer(record, config)
    turns = checked(with_system(prompt, record, config), "the prompt must end on a user turn")
    return {MESSAGES.name: turns, ANSWER.name: _not_blank(answer)}


def _prompt_and_answer(record: Row, config: Config) -> tuple[list[Turn], str]:
    name = config.messages
    if config.prompt is None and name is None:
        name = next((field for field in CONVERSATION_FIELDS if record.get(field) is not None), None)
    if name is not None:
        return _split(turns_of(value_of(record, name), name, ["list of turns"]))
    advice = "say which ones with `prompt` and `answer`, `messages` or `text`"
    question = config.prompt or field_among(record, QUESTION_FIELDS, advice)
    answer = config.answer or field_among(record, ANSWER_FIELDS, advice)
    return prompt_turns(record, question), _answer(record, answer)


def _split(turns: list[Turn]) -> tuple[list[Turn], str]:
    if not turns or turns[-1]["role"] != "assistant":
        ends = f"on a turn of `{turns[-1]['role']}`" if turns else "before its first turn"
        raise BadRecord("no_answer", f"the conversation ends {ends}, not of `assistant`")
    return turns[:-1], turns[-1]["content"]


def _answer(record: Row, name: str) -> str:
    value = value_of(record, name)
    if not isinstance(value, list):
        return _text(value, name)
    prompt, answer = _split(turns_of(value, name, ["list of turns"]))
    if prompt:
        raise BadRecord("bad_record", f"field `{name}` holds {len(value)} turns, not one")
    return answer


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    raise BadRecord("bad_record", f"field `{name}` holds a {type(value).__name__}, no text")


def _not_blank(text: str) -> str:
    if is_blank(text):
        raise BadRecord("empty_text", "the answer is empty")
    return text


def _label(row_id: str, record: Row, name: str, stage: str) -> Row:
    value = value_of(record, name)
    if not isinstance(value, bool):
        message = f"field `{name}` holds {value!r:.60}, which is neither true nor false"
        raise BadRecord("bad_field", message)
    return {
        LABEL.name: value,
        SCORE.name: None,
        LABELLER.name: stage,
        RESPONSE_ID.name: child_id(row_id, stage, ANSWER.name),
        MODEL.name: "given",
        ORDER.name: place_of(row_id, 0, 1),
    }


def feed(config: Config) -> Records:
    """The records to read: with a field named, only the fields that are named."""
    texts = (config.messages, config.prompt, config.answer, config.text)
    if not any(texts):
        return records(config)
    beside = (config.system_field, config.desirable, *config.keep, config.embedding)
    named = (name for name in (*texts, *beside) if name is not None)
    return records(config, tuple(dict.fromkeys(named)))


_MARKS = (LABEL, SCORE, LABELLER, RESPONSE_ID, MODEL, ORDER)


def _fitted(config: Config) -> Stage[Config]:
    columns = [column for column in STAGE.writes if config.text is None or column is not MESSAGES]
    columns += _MARKS if config.desirable else ()
    return replace(STAGE, writes=(*columns, *kept_columns(config.keep, config.embedding)))


STAGE = Stage(
    name="load_answers",
    version=1,
    summary="Read answers to fine-tune on, or plain texts, from files",
    config=Config,
    run=run,
    effect="source",
    writes=(MESSAGES, ANSWER, SOURCE, LINEAGE),
    feed=feed,
    fitted=_fitted,
)
