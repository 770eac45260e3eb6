"""Records of input files: their settings, their fields, the conversations in them.

A turn is written in OpenAI's form (`role`, `content`) or in ShareGPT's (`from`, `value`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD, ROW_ID, Column
from schemas.errors import InputError
from schemas.stage import Location, Records, StageConfig

PROMPT_FIELDS = (
    "messages",
    "conversations",
    "conversation",
    "prompt",
    "instruction",
    "question",
    "query",
)
"""Where a prompt is usually found, conversations first."""
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
Form = Literal["text", "list of turns"]
ANY_FORM: tuple[Form, ...] = ("text", "list of turns")


class FileConfig(StageConfig):
    """Settings that all sources with files have."""

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
    system_field: str | None = Field(
        None, description="Name of a field with the record's system prompt; it may be empty there."
    )
    system: str | None = Field(
        None, description="System prompt for records that bring none.", min_length=1
    )
    label: str | None = Field(
        None, description="What `source` says of these rows; the step's name if not set."
    )
    limit: int | None = Field(None, ge=1, description="At most this many records.")
    on_bad_record: Literal["fail", "reject"] = Field(
        "fail",
        description="A record that cannot be used ends the run (`fail`) or is dropped (`reject`).",
    )


class BadRecord(Exception):
    """A record that cannot be used: the reject's code, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def load(
    batch: Batch,
    config: FileConfig,
    columns: Sequence[Column],
    make: Callable[[str, Row], Row],
    what: str,
) -> Batch:
    """Turn each record into a row of `columns`.

    Args:
        make: of a row_id and a record, the row; raises BadRecord.
        what: that a record gives, in a word.

    Raises:
        InputError: a bad record, with `on_bad_record: fail`.
    """
    kept: list[Row] = []
    rejects: list[Reject] = []
    for row in batch.rows:
        try:
            kept.append(make(row[ROW_ID.name], _record(row)))
        except BadRecord as error:
            rejects.append(_reject(row, error))
    if rejects and config.on_bad_record == "fail":
        raise InputError(
            f"{rejects[0].message} ({rejects[0].code}). {len(rejects)} of the {len(batch)} records "
            f"read with it give no {what}. Mend them, or drop such records with "
            "`on_bad_record: reject`."
        )
    return make_batch((ROW_ID, *columns), kept, rejects)


def _record(row: Row) -> Row:
    if problem := row[RAW_PROBLEM.name]:
        code, _, message = problem.partition(": ")
        raise BadRecord(code, message)
    record: Row = json.loads(row[RAW_RECORD.name])
    return record


def _reject(row: Row, error: BadRecord) -> Reject:
    message = f"{row[RAW_PLACE.name]}: {error}"
    return Reject(row[ROW_ID.name], error.code, message, row[RAW_RECORD.name])


def records(config: FileConfig, fields: Sequence[str] = ()) -> Records:
    """The records to read; `fields` empty means all of their fields."""
    options = {"config": config.config, "revision": config.revision, "split": config.split}
    return Records(
        path=config.path,
        format=config.format,
        fields=tuple(fields),
        options=tuple((key, value) for key, value in options.items() if value is not None),
        limit=config.limit,
    )


def field_among(record: Row, names: Sequence[str], advice: str) -> str:
    """The first of the fields that the record has something in."""
    for name in names:
        if record.get(name) is not None:
            return name
    listed = ", ".join(names)
    raise BadRecord(
        "bad_record", f"none of the fields {listed}; the record has {_names(record)}: {advice}"
    )


def value_of(record: Row, name: str) -> Any:
    """What a field holds, which is not nothing."""
    if (value := record.get(name)) is not None:
        return value
    near = difflib.get_close_matches(name, [key for key in record if key != name], n=1)
    advice = f"; did you mean `{near[0]}`?" if near else ""
    raise BadRecord("bad_record", f"nothing in field `{name}` of {_names(record)}{advice}")


def _names(record: Row) -> str:
    return ", ".join(f"`{name}`" for name in record) or "no fields"


def turns_of(value: Any, name: str, forms: Sequence[Form] = ANY_FORM) -> list[Turn]:
    """The conversation that field `name` holds; a text is one user turn."""
    if isinstance(value, str) and "text" in forms:
        return [{"role": "user", "content": value}]
    if isinstance(value, list) and "list of turns" in forms:
        return [turn_of(turn, number) for number, turn in enumerate(value, 1)]
    wanted = " or ".join(forms)
    raise BadRecord("bad_record", f"field `{name}` holds a {type(value).__name__}, no {wanted}")


def turn_of(turn: Any, number: int) -> Turn:
    """Turn `number` of a conversation, in our form."""
    if isinstance(turn, dict):
        for role, content in (("role", "content"), ("from", "value")):
            if isinstance(turn.get(role), str) and isinstance(turn.get(content), str):
                return {"role": _ROLES.get(turn[role], turn[role]), "content": turn[content]}
    raise BadRecord(
        "bad_record",
        f"turn {number} is neither {{role, content}} nor {{from, value}} with a text in both",
    )


def prompt_turns(record: Row, name: str, forms: Sequence[Form] = ANY_FORM) -> list[Turn]:
    """The conversation in a field; to an `instruction` belongs the `input`, as in Alpaca's data."""
    turns = turns_of(value_of(record, name), name, forms)
    if name == "instruction" and turns and isinstance(text := record.get("input"), str) and text:
        turns[-1]["content"] += f"\n\n{text}"
    return turns


def with_system(turns: list[Turn], record: Row, config: FileConfig) -> list[Turn]:
    """The turns, under the system prompt that the record or the recipe has for them."""
    if not turns or turns[0]["role"] == "system" or not (system := _system(record, config)):
        return turns
    return [{"role": "system", "content": system}, *turns]


def _system(record: Row, config: FileConfig) -> str | None:
    own = record.get(config.system_field) if config.system_field else None
    if own is not None and not isinstance(own, str):
        raise BadRecord("bad_record", f"field `{config.system_field}` holds no text")
    return own or config.system


def checked(turns: list[Turn], trim: str | None = None) -> list[Turn]:
    """The turns, if they make a conversation that a user waits on.

    Args:
        trim: None cuts off what follows the last user turn; else nothing may follow, and this is
            what to do about it.
    """
    _check_order(turns)
    for number, turn in enumerate(turns, 1):
        if not turn["content"].strip():
            raise BadRecord("empty_prompt", f"turn {number} ({turn['role']}) is empty")
    last = max(i for i, turn in enumerate(turns) if turn["role"] == "user") + 1
    if last < len(turns) and trim is not None:
        raise BadRecord(
            "ends_on_assistant",
            f"the conversation ends on a turn of `{turns[-1]['role']}`; {trim}",
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
