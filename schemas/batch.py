"""What a stage takes and gives: rows as an Arrow table, and the rows it turned away.

pyarrow is imported inside functions: a stage module is also loaded by `prefmill check`, which
looks at its Config only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reject:
    """A row, or a candidate within a row, that was turned away.

    Attributes:
        row_id: the row as it came in.
        code: short reason, `snake_case`, stable; counted in reports.
        message: one sentence with the value that failed and the limit it broke.
        raw: the text it was about, verbatim; empty when there is none.
        response_id: set when only this answer was turned away and the row lives on.
    """

    row_id: str
    code: str
    message: str
    raw: str = ""
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way through a stage.

    Attributes:
        table: the rows; always has `row_id`.
        rejects: what the stage turned away; empty on the way in.
    """

    table: pa.Table
    rejects: tuple[Reject, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """The rows as Python values."""
        rows: list[Row] = self.table.to_pylist()
        return rows

    def __len__(self) -> int:
        return int(self.table.num_rows)


def make_batch(
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    rejects: Iterable[Reject] = (),
) -> Batch:
    """Build a batch that has exactly `columns`; a key that is no column is an error.

    Raises:
        KeyError: a row lacks a column.
        ValueError: a row has a key that `columns` does not name.
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError: a value does not fit its column.
    """
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    schema = arrow_schema(columns)
    listed = list(rows)
    names = set(schema.names)
    for row in listed:
        if extra := row.keys() - names:
            raise ValueError(f"row has undeclared columns {sorted(extra)}")
    arrays = [pa.array([row[f.name] for row in listed], type=f.type) for f in schema]
    return Batch(pa.Table.from_arrays(arrays, schema=schema), tuple(rejects))
