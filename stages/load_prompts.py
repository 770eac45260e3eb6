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

import difflib
import json
from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import (
    CONSTRAINTS,
    GOLD_ANSWERS,
    LINEAGE,
    MESSAGES,
    RAW_PLACE,
    RAW_PROBLEM,
    RAW_RECORD,
    ROW_ID,
    SOURCE,
)
from schemas.errors import InputError
from schemas.stage import Context, Location, Records, Stage, StageConfig
from stages import _expectations as expectations

PROMPT_FIELDS = (
    "messages",
    "conversations",
    "conversation",
    "prompt",
    "instruction",
    "question",
    "query",
)
_ROLES = {"human": "user", "gpt": "assistant"}
"""ShareGPT's names of roles; the others are the same in both forms."""
_FOLLOWS = {
    "": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("tool", "assistant"),
}
"""Which roles may come after which; the empty one is the start."""

Turn = dict[str, str]


class Config(StageConfig):
    """Settings of `load_prompts`."""

    path: Location = Field(
        description="A file, a glob, a folder, or a dataset id with `format: hf`. Relative paths "
        "start from the recipe's folder."
    )
    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "hf"] = Field(
        "auto", description="`auto` goes by the file's ending; `hf` asks Hugging Face's hub."
    )
    split: str = Field("train", description="For `format: hf`: which split.")
    config: str | None = Field(None, description="For `format: hf`: which config of the dataset.")
    revision: str | None = Field(None, description="For `format: hf`: branch, tag or commit.")
    prompt: str | None = Field(
        None, description="Name of the field that holds the prompt as a text."
    )
    messages: str | None = Field(
        None, description="Name of the field that holds it as a conversation."
    )
    system_field: str | None = Field(
        None, description="Name of a field with the record's system prompt; it may be empty there."
    )
    system: str | None = Field(
        None, description="System prompt for records that bring none.", min_length=1
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
    label: str | None = Field(
        None, description="What `source` says of these rows; the step's name if not set."
    )
    limit: int | None = Field(None, ge=1, description="At most this many records.")
    on_bad_record: Literal["fail", "reject"] = Field(
        "fail",
        description="A record that gives no prompt ends the run (`fail`) or is dropped (`reject`).",
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


class BadRecord(Exception):
    """A record that gives no prompt: the reject's code, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Turn each record into a prompt; see the module's text.

    Raises:
        InputError: a bad record, with `on_bad_record: fail`.
    """
    kept: list[Row] = []
    rejects: list[Reject] = []
    for row in batch.rows:
        try:
            kept.append(_kept(row, config, context.stage))
        except BadRecord as error:
            rejects.append(_reject(row, error))
    if rejects and config.on_bad_record == "fail":
        raise InputError(
            f"{rejects[0].message} ({rejects[0].code}). {len(rejects)} of the {len(batch)} records "
            "read with it give no prompt. Mend them, or drop such records with "
            "`on_bad_record: reject`."
        )
    return make_batch((ROW_ID, *STAGE.writes), kept, rejects)


def _kept(row: Row, config: Config, stage: str) -> Row:
    if problem := row[RAW_PROBLEM.name]:
        code, _, message = problem.partition(": ")
        raise BadRecord(code, message)
    record = json.loads(row[RAW_RECORD.name])
    return {
        ROW_ID.name: row[ROW_ID.name],
        MESSAGES.name: _prompt(record, config),
        SOURCE.name: stage if config.label is None else config.label,
        GOLD_ANSWERS.name: _gold_answers(record, config),
        CONSTRAINTS.name: _constraints(record, config),
        LINEAGE.name: [],
    }


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


def _reject(row: Row, error: BadRecord) -> Reject:
    message = f"{row[RAW_PLACE.name]}: {error}"
    return Reject(row[ROW_ID.name], error.code, message, row[RAW_RECORD.name])


def _prompt(record: Row, config: Config) -> list[Turn]:
    name = config.messages or config.prompt or _prompt_field(record)
    turns = _turns(_value(record, name), name, config)
    if name == "instruction" and turns and isinstance(text := record.get("input"), str) and text:
        turns[-1]["content"] += f"\n\n{text}"
    if turns and turns[0]["role"] != "system" and (system := _system(record, config)):
        turns.insert(0, {"role": "system", "content": system})
    return _checked(turns, config)


def _prompt_field(record: Row) -> str:
    for name in PROMPT_FIELDS:
        if record.get(name) is not None:
            return name
    raise BadRecord(
        "bad_record",
        f"none of the fields {', '.join(PROMPT_FIELDS)}; the record has {_names(record)}: say "
        "which one with `prompt` or `messages`",
    )


def _value(record: Row, name: str) -> Any:
    if (value := record.get(name)) is not None:
        return value
    near = difflib.get_close_matches(name, [key for key in record if key != name], n=1)
    advice = f"; did you mean `{near[0]}`?" if near else ""
    raise BadRecord("bad_record", f"nothing in field `{name}` of {_names(record)}{advice}")


def _names(record: Row) -> str:
    return ", ".join(f"`{name}`" for name in record) or "no fields"


def _turns(value: Any, name: str, config: Config) -> list[Turn]:
    """The conversation that a field holds; a text is one user turn."""
    if isinstance(value, str) and config.messages is None:
        return [{"role": "user", "content": value}]
    if isinstance(value, list) and config.prompt is None:
        return [_turn(turn, number) for number, turn in enumerate(value, 1)]
    forms = (() if config.messages else ("text",)) + (() if config.prompt else ("list of turns",))
    wanted = " or ".join(forms)
    raise BadRecord("bad_record", f"field `{name}` holds a {type(value).__name__}, no {wanted}")


def _turn(turn: Any, number: int) -> Turn:
    if isinstance(turn, dict):
        for role, content in (("role", "content"), ("from", "value")):
            if isinstance(turn.get(role), str) and isinstance(turn.get(content), str):
                return {"role": _ROLES.get(turn[role], turn[role]), "content": turn[content]}
    raise BadRecord(
        "bad_record",
        f"turn {number} is neither {{role, content}} nor {{from, value}} with a text in both",
    )


def _system(record: Row, config: Config) -> str | None:
    own = record.get(config.system_field) if config.system_field else None
    if own is not None and not isinstance(own, str):
        raise BadRecord("bad_record", f"field `{config.system_field}` holds no text")
    return own or config.system


def _checked(turns: list[Turn], config: Config) -> list[Turn]:
    """The turns, if they make a conversation that a user waits on."""
    _check_order(turns)
    for number, turn in enumerate(turns, 1):
        if not turn["content"].strip():
            raise BadRecord("empty_prompt", f"turn {number} ({turn['role']}) is empty")
    last = max(i for i, turn in enumerate(turns) if turn["role"] == "user") + 1
    if last < len(turns) and not config.trim_answer:
        raise BadRecord(
            "ends_on_assistant",
            f"the conversation ends on a turn of `{turns[-1]['role']}`; to cut off what follows "
            "the last user turn, set `trim_answer: true`",
        )
    return turns[:last]


def _check_order(turns: list[Turn]) -> None:
    before = ""
    for number, turn in enumerate(turns, 1):
        if (role := turn["role"]) not in _FOLLOWS[before]:
            allowed = " or ".join(f"`{name}`" for name in _FOLLOWS[before])
            raise BadRecord("bad_roles", f"turn {number} is of `{role}` where {allowed} may stand")
        before = role
    if before in ("", "system"):
        raise BadRecord("bad_roles", "no user turn in the conversation")


def feed(config: Config) -> Records:
    """The records to read: those fields alone that are named, so that others move no identity."""
    named = config.messages or config.prompt
    beside = (
        config.system_field,
        config.answer,
        config.constraints,
        config.constraint_arguments,
    )
    fields = (named, *filter(None, beside)) if named else ()
    options = {"config": config.config, "revision": config.revision, "split": config.split}
    return Records(
        path=config.path,
        format=config.format,
        fields=fields,
        options=tuple((key, value) for key, value in options.items() if value is not None),
        limit=config.limit,
    )


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
