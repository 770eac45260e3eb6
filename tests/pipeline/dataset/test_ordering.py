"""Sorting more rows than memory holds."""

from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dataset.ordering import in_order
from schemas.layouts import ORDER_BITS

ROWS = st.lists(st.tuples(st.integers(0, 2**ORDER_BITS - 1), st.text("ab", max_size=3)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, max_size=4))
def test_rows_come_by_order_then_id_whatever_the_tables(
    tmp_path: Path, parts: list[list[tuple[int, str]]]
) -> None:
    schema = pa.schema([("order", pa.int64()), ("row_id", pa.string())])
    tables = [
        pa.table({"order": [o for o, _ in part], "row_id": [i for _, i in part]}, schema=schema)
        for part in parts
    ]
    found = [
        (row["order"], row["row_id"])
        for table in in_order(iter(tables), tmp_path / "scratch")
        for row in table.to_pylist()
    ]
    assert found == sorted(row for part in parts for row in part)
    assert not (tmp_path / "scratch").exists()


def test_what_is_left_when_reading_stops_early_is_gone(tmp_path: Path) -> None:
    table = pa.table({"order": [5, 2**61], "row_id": ["a", "b"]})
    rows = in_order([table], tmp_path / "scratch")
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "scratch").exists()
