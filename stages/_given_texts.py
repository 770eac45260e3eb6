"""The texts in files that a stage is given beside its rows: benchmarks and targets."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD
from schemas.errors import InputError

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
"""Where the text of a target is looked for, if the recipe names no field."""

FileFormat = Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "hf"]


class GivenText(NamedTuple):
    """One text of a given file.

    Attributes:
        place: file and line or row of its record.
        field: the field that it stands in.
    """

    place: str
    field: str
    text: str


def given_texts(records: pa.Table, fields: Sequence[str], what: str) -> Iterator[GivenText]:
    """The texts of the named fields of each record, in order; of a list those of its entries.

    A dot goes into a record within, or into each of a list: `turns.content`. Null is no text.

    Args:
        records: RAW_RECORD, RAW_PLACE and RAW_PROBLEM, as the runner reads them.
        what: whose file it is, for messages.

    Raises:
        InputError: a record that cannot be read or lacks a field, or a field of another kind.
    """
    columns = (RAW_RECORD, RAW_PLACE, RAW_PROBLEM)
    for raw, place, problem in zip(
        *(records.column(column.name).to_pylist() for column in columns), strict=True
    ):
        if problem:
            raise InputError(f"{place}: {problem}. Mend this record of {what}, or take it out.")
        record = json.loads(raw)
        for field in fields:
            try:
                texts = _texts(_value(record, field), field)
            except ValueError as error:
                raise InputError(f"{place}: {error} ({what})") from error
            yield from (GivenText(place, field, text) for text in texts)


def _value(value: Any, field: str) -> Any:
    """What stands in a field, in those of each entry if there is a list on the way."""
    name, _, inner = field.partition(".")
    if isinstance(value, list):
        return [one for entry in value for one in _listed(_value(entry, field))]
    if not isinstance(value, dict) or name not in value:
        names = list(value) if isinstance(value, dict) else []
        near = difflib.get_close_matches(name, names, n=1)
        has = ", ".join(f"`{one}`" for one in names) or "no fields there"
        advice = f"; did you mean `{near[0]}`?" if near else ""
        raise ValueError(f"no field `{field}`: the record has {has}{advice}")
    return _value(value[name], inner) if inner else value[name]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _texts(value: Any, field: str) -> list[str]:
    values = [one for one in _listed(value) if one is not None]
    if all(isinstance(one, str) for one in values):
        return values
    kinds = ", ".join(sorted({type(one).__name__ for one in values}))
    raise ValueError(f"field `{field}` holds {kinds}; allowed are a text or a list of texts")


def usual_field(records: pa.Table) -> str:
    """The first of `TEXT_FIELDS` that a target's first record has.

    Raises:
        InputError: it has none of them.
    """
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
