from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from stages._keeping import Keep, keeping_notes, n_kept


@pytest.mark.parametrize(
    ("keep", "n_rows", "expected"),
    [(3, 10, 3), (10, 3, 3), (1, 0, 0), (0.5, 3, 2), (0.07, 100, 7), (0.29, 100, 29), (0.5, 0, 0)],
)
def test_counts_and_shares(keep: float, n_rows: int, expected: int) -> None:
    assert n_kept(keep, n_rows) == expected


@given(
    st.decimals("0.001", "0.999", places=3).map(Decimal),
    st.integers(0, 10_000),
)
def test_a_share_is_the_decimal_that_was_written(share: Decimal, n_rows: int) -> None:
    assert n_kept(float(share), n_rows) == math.ceil(share * n_rows)


@pytest.mark.parametrize("keep", [0, -1, 0.0, 1.0, 1.5, float("nan"), True, "3"])
def test_neither_a_count_nor_a_share(keep: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Keep).validate_python(keep, strict=True)


def test_too_few_rows_are_spoken_of() -> None:
    assert keeping_notes(50, 12) == ("`keep` asks for 50 rows and 12 came: all are kept",)
    assert keeping_notes(12, 12) == keeping_notes(0.5, 0) == ()
