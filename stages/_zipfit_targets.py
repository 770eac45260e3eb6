"""The examples of a target file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import InputError
from stages._given_texts import given_texts, usual_field

if TYPE_CHECKING:
    import pyarrow as pa

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
    name = field or usual_field(records)
    found = list(given_texts(records, (name,), _WHOSE))
    texts = [_encoded(text.text, text.place) for text in found if text.text]
    if not texts:
        raise InputError(f"The target file has no text: `{name}` is empty in every record.")
    if len(texts) > MOST_TARGETS:
        raise InputError(f"The target file has {len(texts)} examples, more than {MOST_TARGETS}.")
    return texts


def _encoded(text: str, place: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: half of a surrogate pair at character {error.start} of the target's text, "
            "which has no UTF-8: mend the record or take it out"
        ) from error
