from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages._quotas import equal_parts, filled, proportional_parts, share_counts

SIZES = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(0, 30), min_size=1)


@pytest.mark.parametrize(
    ("wanted", "sizes", "parts"),
    [
        (10, {"a": 50, "b": 50}, {"a": 5, "b": 5}),
        (10, {"a": 70, "b": 20, "c": 10}, {"a": 7, "b": 2, "c": 1}),
        # Exact shares are 3.5, 1.25 and 0.25: the last place goes to the largest remainder.
        (5, {"a": 14, "b": 5, "c": 1}, {"a": 4, "b": 1, "c": 0}),
        # Equal remainders go by name.
        (3, {"b": 5, "a": 5}, {"a": 2, "b": 1}),
        (0, {"a": 5}, {"a": 0}),
    ],
)
def test_proportional_by_hand(wanted: int, sizes: dict[str, int], parts: dict[str, int]) -> None:
    assert proportional_parts(wanted, sizes) == parts


@pytest.mark.parametrize(
    ("wanted", "sizes", "parts"),
    [
        (10, {"a": 50, "b": 50}, {"a": 5, "b": 5}),
        # What `c` cannot fill goes to the others.
        (12, {"a": 50, "b": 50, "c": 2}, {"a": 5, "b": 5, "c": 2}),
        (7, {"b": 9, "a": 9}, {"a": 4, "b": 3}),
        (100, {"a": 5, "b": 3}, {"a": 5, "b": 3}),
        (0, {"a": 5}, {"a": 0}),
    ],
)
def test_equal_by_hand(wanted: int, sizes: dict[str, int], parts: dict[str, int]) -> None:
    assert equal_parts(wanted, sizes) == parts


@given(st.data(), SIZES)
def test_parts_come_to_what_is_wanted_and_fit(data: st.DataObject, sizes: dict[str, int]) -> None:
    total = sum(sizes.values())
    wanted = data.draw(st.integers(0, total))
    mixed = dict(data.draw(st.permutations(list(sizes.items()))))
    for divide in (equal_parts, proportional_parts):
        parts = divide(wanted, sizes)
        assert sum(parts.values()) == wanted
        assert all(0 <= parts[name] <= size for name, size in sizes.items())
        assert divide(wanted, mixed) == parts
    for name, size in sizes.items():
        assert abs(proportional_parts(wanted, sizes)[name] * total - wanted * size) < max(total, 1)
    parts = equal_parts(wanted, sizes)
    most = max(parts.values())
    assert all(parts[name] in (most, most - 1, size) for name, size in sizes.items())


def test_shares_are_of_what_is_kept_as_decimals() -> None:
    assert share_counts(100, {"a": 0.29, "b": 0.7}) == {"a": 29, "b": 70}


def test_a_quota_is_filled_as_far_as_there_are_rows_and_says_so() -> None:
    parts, notes = filled({"a": 3, "b": 5, "c": 1}, {"a": 9, "b": 2, "d": 4})
    assert parts == {"a": 3, "b": 2, "c": 0}
    assert [note.split(":")[0] for note in notes] == [
        "the quota of `b` asks for 5 rows and 2 came",
        "the quota of `c` asks for 1 rows and 0 came",
    ]
