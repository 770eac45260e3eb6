"""Equal hashes are found as a dict would find them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.kernels.equal import first_equal

FEW = st.integers(0, 3) | st.integers(2**64 - 3, 2**64 - 1)


@given(st.integers(0, 60).flatmap(lambda n: st.tuples(*[arrays(np.uint64, n, elements=FEW)] * 2)))
def test_each_place_names_the_first_with_the_same_bits(halves: tuple[np.ndarray, ...]) -> None:
    seen: dict[tuple[int, ...], int] = {}
    pairs = zip(*(half.tolist() for half in halves), strict=True)
    expected = [seen.setdefault(pair, place) for place, pair in enumerate(pairs)]
    assert first_equal(*halves).tolist() == expected
