from __future__ import annotations

import math

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stages._ranking import ranked

values = st.lists(
    st.tuples(st.uuids().map(str), st.one_of(st.none(), st.sampled_from([0.0, 1.5, math.nan, -2]))),
    unique_by=lambda pair: pair[0],
)


@given(values, st.booleans(), st.integers(0, 5))
def test_places_are_those_of_a_sort_with_row_id_as_the_last_word(
    pairs: list[tuple[str, float | None]], descending: bool, at: int
) -> None:
    table = pa.table({"row_id": pa.array([row_id for row_id, _ in pairs], pa.string()),
                      "x": pa.array([x for _, x in pairs], pa.float64())})  # fmt: skip
    chunked = pa.concat_tables([table.slice(0, at), table.slice(at)])
    found = ranked(chunked, "x", "descending" if descending else "ascending")
    assert found.column("row_id").equals(table.column("row_id"))
    sign = -1 if descending else 1

    def key(pair: tuple[str, float | None]) -> tuple[int, float, str]:
        row_id, x = pair
        if x is None or math.isnan(x):
            return (2 if x is None else 1), 0.0, row_id
        return 0, sign * x, row_id

    order = sorted(pairs, key=key)
    expected = [order.index(pair) for pair in pairs]
    assert found.column("rank").to_pylist() == expected
