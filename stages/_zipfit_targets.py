"""The examples of a target file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD
from schemas.errors import InputError
from stages._given_texts import given_texts

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_FIELDS = (
    "text",
    "prompt",
    "instruction",
    "question",
    "query",
    "completion",
    "response",
    "output",
    "answer",
)
"""Where a text is looked for, if the recipe names no field."""
MOST_TARGETS = 1 << 20
"""Sums over more could overflow."""

_WHOSE = "the target"


def target_texts(records: pa.Table, field: str | None) -> list[bytes]:
    """The texts of a target file in UTF-8, empty ones left out.

    Raises:
        InputError: no records, a record that cannot be read or lacks the field, or no text in any.
    """
    if not len(records):
        raise InputError("The target file has no records; it needs one example at least.")
    name = field or _field(records)
    found = list(given_texts(records, (name,), _WHOSE))
    texts = [_encoded(text.text, text.place) for text in found if text.text]
    if not texts:
        raise InputError(f"The target file has no text: `{name}` is empty in every record.")
    if len(texts) > MOST_TARGETS:
        raise InputError(f"The target file has {len(texts)} examples, more than {MOST_TARGETS}.")
    return texts


def _field(records: pa.Table) -> str:
    """The first of the usual fields that the first record has."""
    raw, problem = (records.column(c.name)[0].as_py() for c in (RAW_RECORD, RAW_PROBLEM))
    record = {} if problem else json.loads(raw)
    names = list(record) if isinstance(record, dict) else []
    for name in TEXT_FIELDS:
        if problem or name in names:
            return name
    has = ", ".join(f"`{one}`" for one in names) or "no fields"
    raise InputError(
        f"{records.column(RAW_PLACE.name)[0].as_py()}: none of the fields {', '.join(TEXT_FIELDS)} "
        f"in the target's first record, which has {has}: say which one with `target_field`"
    )


def _encoded(text: str, place: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: half of a surrogate pair at character {error.start} of the target's text, "
            "which has no UTF-8: mend the record or take it out"
        ) from error
