"""Holds stages to their contract: they see what they declare, and lose nothing.

See `schemas.stage`. Joins are by row_id, never by position.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from schemas.arrow import arrow_schema, check_no_nulls
from schemas.batch import Batch
from schemas.columns import LINEAGE, RAW_PLACE, RAW_PROBLEM, RAW_RECORD, ROW_ID, Column
from schemas.errors import ContractError
from schemas.stage import Stage

if TYPE_CHECKING:
    import pyarrow as pa

FED = frozenset(column.name for column in (RAW_RECORD, RAW_PLACE, RAW_PROBLEM))
"""Columns that the runner feeds to a source; they end with it."""


def project(table: pa.Table, stage: Stage[Any]) -> pa.Table:
    """The columns that a stage may see. What no stage made yet comes as nulls or empty lists."""
    import pyarrow as pa

    columns = {ROW_ID.name: table.column(ROW_ID.name)}
    if stage.effect == "source":
        columns |= {name: table.column(name) for name in table.column_names if name in FED}
    for column in stage.reads:
        if column.name not in table.column_names:
            raise ContractError(f"stage `{stage.name}` reads `{column.name}`, which is not there")
        columns[column.name] = table.column(column.name)
    for column in (*stage.extends, *stage.optional):
        columns[column.name] = (
            table.column(column.name)
            if column.name in table.column_names
            else _nothing(column, table.num_rows)
        )
    return pa.table(columns)


def _nothing(column: Column, rows: int) -> pa.Array:
    import pyarrow as pa

    value: list[None] | None = None if column.nullable else []
    return pa.array([value] * rows, type=arrow_schema([column]).field(0).type)


def settle(incoming: pa.Table, outgoing: Batch, stage: Stage[Any]) -> pa.Table:
    """Check what a stage returned and join it with the columns that pass it by.

    Raises:
        ContractError: wrong columns or types, nulls, repeated ids, or rows that are neither in
            the output nor rejected, or both.
    """
    table = _with_declared_schema(outgoing.table, stage)
    check_no_nulls(table, f"stage `{stage.name}`")
    kept = table.column(ROW_ID.name).to_pylist()
    if repeated := [row_id for row_id, n in Counter(kept).items() if n > 1]:
        raise ContractError(f"stage `{stage.name}` returned row {repeated[0]} more than once")
    parents = _parents(table) if stage.effect == "expand" else kept
    _check_accounting(incoming, outgoing, parents, stage)
    if stage.effect == "source":
        return table
    return _carry_over(incoming, table, parents, stage)


def check_survivors(before: pa.Table, after: Batch, stage: Stage[Any]) -> None:
    """Check the second pass of a dataset-scope stage: it may only drop rows, with a reason."""
    if after.table.schema != before.schema:
        raise ContractError(f"stage `{stage.name}` changed columns in its dataset pass")
    _check_accounting(before, after, after.table.column(ROW_ID.name).to_pylist(), stage)


def _with_declared_schema(table: pa.Table, stage: Stage[Any]) -> pa.Table:
    """The table under the schema that the stage declares, whose nullability then counts."""
    import pyarrow as pa

    wanted = _declared_schema(stage)
    if sorted(wanted.names) != sorted(table.column_names):
        raise ContractError(
            f"stage `{stage.name}` returned columns {sorted(table.column_names)}; "
            f"it declares {sorted(wanted.names)}"
        )
    for field in wanted:
        seen = table.schema.field(field.name).type
        if not seen.equals(field.type):
            raise ContractError(
                f"stage `{stage.name}`, column `{field.name}`: {seen} instead of {field.type}"
            )
    return pa.Table.from_arrays([table.column(name) for name in wanted.names], schema=wanted)


def _declared_schema(stage: Stage[Any]) -> pa.Schema:
    columns = [ROW_ID, *stage.writes, *stage.extends]
    if stage.effect == "expand" and LINEAGE not in columns:
        columns.append(LINEAGE)
    return arrow_schema(columns)


def empty_output(stage: Stage[Any]) -> pa.Table:
    """What a stage returns that turned every row away."""
    return _declared_schema(stage).empty_table()


def _parents(table: pa.Table) -> list[str]:
    """The row_id of each child's parent: the last entry of its lineage."""
    lineages = table.column(LINEAGE.name).to_pylist()
    if any(not lineage for lineage in lineages):
        raise ContractError("a stage made a child without a parent in its lineage")
    return [lineage[-1]["row_id"] for lineage in lineages]


def _check_accounting(
    incoming: pa.Table, outgoing: Batch, kept: list[str], stage: Stage[Any]
) -> None:
    came = set(incoming.column(ROW_ID.name).to_pylist())
    stayed = set(kept)
    lost = {reject.row_id for reject in outgoing.rejects if reject.response_id is None}
    if unknown := (stayed | {reject.row_id for reject in outgoing.rejects}) - came:
        raise ContractError(f"stage `{stage.name}` returned row {min(unknown)}, which never came")
    if both := stayed & lost:
        raise ContractError(f"stage `{stage.name}` kept and rejected row {min(both)}")
    if missing := came - stayed - lost:
        raise ContractError(
            f"stage `{stage.name}` lost {len(missing)} of {len(came)} rows without a reason, "
            f"e.g. {min(missing)}"
        )


def _carry_over(
    incoming: pa.Table, table: pa.Table, parents: list[str], stage: Stage[Any]
) -> pa.Table:
    import pyarrow as pa

    place = {row_id: i for i, row_id in enumerate(incoming.column(ROW_ID.name).to_pylist())}
    rows = pa.array([place[parent] for parent in parents], type=pa.int64())
    gone = {column.name for column in stage.drops} | set(table.column_names)
    for name in incoming.column_names:
        if name not in gone:
            carried = incoming.column(name).take(rows)
            table = table.append_column(incoming.schema.field(name), carried)
    return table
