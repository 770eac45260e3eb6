"""What a worker keeps for a step beside its models: the files given to it, things made once."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.store import StepFolder
from schemas.errors import ContractError

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

_KEPT = 8
"""Things kept in a process, those of other steps included; the longest unused goes first."""


@dataclass(frozen=True, slots=True)
class StepSurroundings:
    """The `schemas.stage.PassContext` of a real run, and part of its Context.

    Attributes:
        folder: of the step.
        names: of the files given to it, sorted.
        before: see `schemas.stage.PassContext`.
    """

    stage: str
    recipe_seed: int
    folder: StepFolder
    names: tuple[str, ...] = ()
    before: pa.Table | None = None

    def given(self, name: str) -> pa.Table:
        """See `schemas.stage.Surroundings`."""
        if name not in self.names:
            raise ContractError(f"step `{self.stage}` asks for `{name}`, which it did not declare")
        return _table(self.folder.given(), self.names.index(name))

    def once(self, name: str, make: Callable[[], T]) -> T:
        """See `schemas.stage.Surroundings`."""
        return _SHELF.get((self.folder, name), make)


@functools.lru_cache(maxsize=_KEPT)
def _table(folder: StepFolder, place: int) -> pa.Table:
    return folder.read_rows(place)


class _Shelf:
    """Things by key, made by whoever asks first while others that ask for the same wait."""

    def __init__(self) -> None:
        self._things: OrderedDict[Any, Future[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        with self._lock:
            thing: Future[T] | None = self._things.get(key)
            if is_new := thing is None:
                thing = self._things[key] = Future()
            self._things.move_to_end(key)
            while len(self._things) > _KEPT:
                self._things.popitem(last=False)
        if is_new:
            self._make(key, thing, make)
        return thing.result()

    def _make(self, key: Any, thing: Future[T], make: Callable[[], T]) -> None:
        try:
            thing.set_result(make())
        except BaseException as error:
            with self._lock:
                if self._things.get(key) is thing:
                    del self._things[key]  # whoever asks next tries again
            thing.set_exception(error)


_SHELF = _Shelf()


def bring(step: KeyedStep, base: Path) -> None:
    """Copy the files that a step needs into its folder: workers need not reach them.

    Raises:
        InputError: a file that cannot be used.
    """
    from pipeline.inputs.readers import read_given

    folder = step.folder.given()
    for place, name in enumerate(sorted(step.given)):
        if not folder.verified(place):
            folder.commit_plain(place, read_given(step.given[name], base))
