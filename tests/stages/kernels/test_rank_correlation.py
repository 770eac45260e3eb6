import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from stages.kernels.rank_correlation import rank_correlation

VALUES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)


@given(VALUES)
def test_it_is_spearmans_or_none(drawn: list[tuple[int, int]]) -> None:
    first, second = np.array(drawn).T
    found = rank_correlation(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


@pytest.mark.parametrize("n", [0, 1])
def test_of_no_rows_or_one_there_is_none(n: int) -> None:
    assert rank_correlation([1.0] * n, [2.0] * n) is None


def test_only_the_order_counts() -> None:
    assert rank_correlation([1, 2, 3], [0.1, 7, 7000]) == 1
    assert rank_correlation([1, 2, 3], [5, 4, -9]) == -1
