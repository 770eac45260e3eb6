"""Numba's compiler as all kernels use it: without Python's lock, and kept for later processes.

Numba tells by a function's own file whether what it compiled is still right, but what is compiled
holds functions of other files too. So it is kept in a folder that is named after all kernels'
sources: change one, and none is taken for what it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.event import Event, Listener, register

from stages.kernels import compiling

_HERE = Path(__file__).parent


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Have Numba compile a function when it is first called; `options` are those of `njit`."""

    def decorate(function: Callable[..., Any]) -> Any:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = _FOLDER
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        finally:
            numba.config.CACHE_DIR = before

    return decorate


class _Announcer(Listener):  # type: ignore[misc]  # Numba has no types
    """Compiling one function compiles those that it calls: what counts is the outermost.

    Numba compiles under one lock for the process, so there is nothing else to keep apart.
    """

    def __init__(self) -> None:
        self._depth = 0

    def on_start(self, event: Event) -> None:
        self._depth += 1
        if self._depth == 1:
            compiling.tell(True)

    def on_end(self, event: Event) -> None:
        self._depth -= 1
        if self._depth == 0:
            compiling.tell(False)


register("numba:compile", _Announcer())


def _folder() -> str:
    sources = hashlib.blake2b(digest_size=8)
    for path in sorted(_HERE.glob("*.py")):
        sources.update(path.read_bytes())
    chosen = numba.config.CACHE_DIR or _HERE / "__pycache__"
    return str(Path(chosen) / f"kernels-{sources.hexdigest()}")


_FOLDER = _folder()
"""Where it cannot be written, Numba takes its own place for caches."""
