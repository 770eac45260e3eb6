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

    A dot goes into a record within: `choices.text`. Null is no text.

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


def _value(record: Any, field: str) -> Any:
    value = record
    for name in field.split("."):
        if not isinstance(value, dict) or name not in value:
            names = list(value) if isinstance(value, dict) else []
            near = difflib.get_close_matches(name, names, n=1)
            has = ", ".join(f"`{one}`" for one in names) or "no fields there"
            advice = f"; did you mean `{near[0]}`?" if near else ""
            raise ValueError(f"no field `{field}`: the record has {has}{advice}")
        value = value[name]
    return value


def _texts(value: Any, field: str) -> list[str]:
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    if all(isinstance(one, str) for one in values):
        return values
    kinds = ", ".join(sorted({type(one).__name__ for one in values}))
    raise ValueError(f"field `{field}` holds {kinds}; allowed are a text or a list of texts")
