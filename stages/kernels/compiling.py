"""Who is told that Numba compiles: it takes seconds, once for a machine and a version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[bool], None]
"""Called with True when compiling begins, with False when it is over; from any thread."""

_told: list[Told] = []


@contextmanager
def told_of_compiling(told: Told) -> Iterator[None]:
    """Inside, `told` hears of all that this process compiles, on whosever behalf."""
    _told.append(told)
    try:
        yield
    finally:
        _told.remove(told)


def tell(compiles: bool) -> None:
    """Pass it on to those who listen."""
    for told in tuple(_told):
        told(compiles)
