"""Compiling is told once, for the outermost function, and only to those who are at work."""

from __future__ import annotations

import numba
import pytest

import stages.kernels.jit  # noqa: F401  # it is what listens
from stages.kernels.compiling import told_of_compiling


def fresh() -> numba.core.dispatcher.Dispatcher:
    """A kernel that calls another, neither of them compiled."""
    inner = numba.njit(lambda x: x + 1)
    return numba.njit(lambda x: inner(x) * 2)


def test_it_is_told_when_it_begins_and_when_it_is_over() -> None:
    told: list[bool] = []
    outer = fresh()
    with told_of_compiling(told.append):
        assert outer(3) == 8
        assert told == [True, False]
        outer(4)
        assert told == [True, False], "it was compiled before"


def test_those_who_left_are_told_nothing() -> None:
    told: list[bool] = []
    with told_of_compiling(told.append):
        pass
    fresh()(3)
    assert told == []


def test_a_kernel_that_cannot_be_compiled_ends_the_compiling() -> None:
    told: list[bool] = []
    broken = numba.njit(lambda x: x.nothing)
    with told_of_compiling(told.append):
        with pytest.raises(numba.TypingError):
            broken(3)
        fresh()(3)
    assert told == [True, False] * 2
