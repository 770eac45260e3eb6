"""The texts of a row, whatever kind of row it is: a prompt, a pair, an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from schemas.columns import ANSWER, CHOSEN, MESSAGES, REJECTED, Column

if TYPE_CHECKING:
    import pyarrow as pa

TextName = Literal["prompt", "conversation", "system", "answer", "chosen", "rejected"]

Texts = Annotated[tuple[TextName, ...], Field(min_length=1)]
"""Type of a setting that names texts: `prompt` is the last user turn, `conversation` all turns of
the prompt, `system` its system turns; several are taken together, a line break between them."""

_COLUMNS: dict[TextName, Column] = {
    "prompt": MESSAGES,
    "conversation": MESSAGES,
    "system": MESSAGES,
    "answer": ANSWER,
    "chosen": CHOSEN,
    "rejected": REJECTED,
}


def text_columns(names: Sequence[TextName]) -> tuple[Column, ...]:
    """The columns that hold these texts, each once."""
    return tuple(dict.fromkeys(_COLUMNS[name] for name in names))


def texts_of(table: pa.Table, names: Sequence[TextName]) -> pa.LargeStringArray:
    """The named texts of each row, joined by a line break. No nulls.

    Raises:
        ValueError: a prompt without turns.
    """
    import pyarrow.compute as pc

    texts = [_text(table, name) for name in names]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, _break(texts[0]))


def _break(like: pa.LargeStringArray) -> pa.Scalar:
    import pyarrow as pa

    return pa.scalar("\n", type=like.type)


def _text(table: pa.Table, name: TextName) -> pa.LargeStringArray:
    """One text of each row, as one array."""
    import pyarrow as pa

    column = table.column(_COLUMNS[name].name).combine_chunks()
    if name in ("answer", "chosen", "rejected"):
        return column.cast(pa.large_string())
    return _last(column) if name == "prompt" else _turns(column, name)


def _last(messages: pa.ListArray) -> pa.LargeStringArray:
    """The last turn of each conversation; a prompt ends on a user turn."""
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = pc.index(pc.list_value_length(messages), 0).as_py()
    if empty >= 0:
        raise ValueError(f"row {empty} has a prompt without turns")
    ends = pc.subtract(messages.offsets[1:], 1)
    return messages.values.field("content").take(ends).cast(pa.large_string())


def _turns(messages: pa.ListArray, name: TextName) -> pa.LargeStringArray:
    """All turns of each conversation, or its system turns, joined by line breaks."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    turns = messages.flatten()
    contents = turns.field("content").cast(pa.large_string())
    parents = pc.list_parent_indices(messages)
    if name == "system":
        wanted = pc.equal(turns.field("role"), "system")
        contents, parents = contents.filter(wanted), parents.filter(wanted)
    counts = np.bincount(parents.to_numpy(), minlength=len(messages))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))))
    return pc.binary_join(pa.LargeListArray.from_arrays(offsets, contents), _break(contents))
