import math

import numpy as np
import pyarrow as pa
import pytest

from stages.kernels.vectors import Vectors, usable_vectors

ROWS = [[1.0, 2.0], [], None, [math.nan, 1.0], [0.0, 0.0], [1e300, 0.0], [3.0, 4.0]]


def chunked(*parts: list) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(part, pa.list_(pa.float64())) for part in parts])


def test_vectors_that_say_nothing_are_null() -> None:
    for cut in range(len(ROWS) + 1):
        found = usable_vectors(chunked(ROWS[:cut], ROWS[cut:]))
        assert found.is_valid().to_pylist() == [True, False, False, False, True, False, True]
        directed = usable_vectors(chunked(ROWS[:cut], ROWS[cut:]), directed=True)
        assert directed.is_valid().to_pylist() == [True, False, False, False, False, False, True]


def test_they_are_taken_from_where_they_lie() -> None:
    vectors = Vectors(usable_vectors(chunked(ROWS[:5], [], ROWS[5:])).slice(0, 7))
    assert (len(vectors), vectors.dimensions) == (3, 2)
    assert vectors.take(np.array([2, 0, 1, 2])).tolist() == [[3, 4], [1, 2], [0, 0], [3, 4]]


def test_a_slice_is_of_its_own_rows() -> None:
    vectors = Vectors(usable_vectors(chunked([[1.0], [2.0], [3.0], [4.0]]).slice(1, 2)))
    assert vectors.take(np.arange(2)).tolist() == [[2], [3]]


@pytest.mark.parametrize("rows", [[], [None], [[]]])
def test_there_may_be_none(rows: list) -> None:
    vectors = Vectors(usable_vectors(chunked(rows)))
    assert len(vectors) == 0
    assert vectors.take(np.empty(0, int)).shape[0] == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="vectors of 1 and of 2 numbers"):
        Vectors(usable_vectors(chunked([[1.0, 2.0]], [[1.0]])))
