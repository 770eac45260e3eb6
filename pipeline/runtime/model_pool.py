"""The models that are open in this process.

A worker keeps its engine warm from one part to the next. Only one model is open at a time: it has
the device to itself, and a stage that uses two takes turns between them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipeline.engines.base import LoadedModel, ModelSpec
from pipeline.runtime.store import Usage
from schemas.errors import EngineDied
from schemas.models import (
    Capability,
    ChatFormat,
    Failure,
    GenerateRequest,
    Generation,
    Generator,
    LabelProbs,
    LabelRequest,
    Score,
    ScoreRequest,
)

R = TypeVar("R", Generation, Score, LabelProbs)


Tell = Callable[[dict[str, Any]], None]
"""Where progress goes: receives small messages, see `ModelPool`."""

_SECONDS_BETWEEN_MESSAGES = 0.2


def tell_nobody(message: dict[str, Any]) -> None:
    """Progress that no one watches."""


@dataclass
class ModelPool:
    """Opens models on demand and closes the one that is in the way.

    Attributes:
        tell: gets `{"loading": name}` when a model is opened, `{"expect": n}` when n requests
            begin, and `{"requests": n, "tokens": n}` as they are served. Replaced by whoever
            runs a part.
        usage: what the models did since it was last reset.
    """

    tell: Tell = tell_nobody
    usage: Usage = field(default_factory=Usage)
    _open: LoadedModel | None = None
    # Guards _open: Dask may tear a worker down while a task thread is opening a model.
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _untold: tuple[int, int] = (0, 0)
    _told_at: float = 0.0

    def get(self, spec: ModelSpec) -> LoadedModel:
        """The open model for `spec`, opening it (and closing another) if need be."""
        with self._lock:
            if self._open is None or self._open.spec != spec:
                self.close()
                self.tell({"loading": spec.name})
                from pipeline.engines.open import open_model

                self._open = open_model(spec, self._progress)
            return self._open

    def close(self) -> None:
        """Close what is open and free its device."""
        with self._lock:
            if self._open is not None:
                self._open.generator.close()
                self._open = None

    def measured(
        self, spec: ModelSpec, size: int, ask: Callable[[Generator], list[R | Failure]]
    ) -> list[R | Failure]:
        """Ask the model `size` things and add what it cost to `usage`."""
        generator = self.get(spec).generator
        self.tell({"expect": size})
        started = time.perf_counter()
        try:
            results = ask(generator)
        except EngineDied:
            self.close()  # the next try gets a new engine
            raise
        self._flush()
        self.usage += _usage(results, time.perf_counter() - started)
        return results

    def _progress(self, requests: int, tokens: int) -> None:
        self._untold = (self._untold[0] + requests, self._untold[1] + tokens)
        if time.monotonic() - self._told_at > _SECONDS_BETWEEN_MESSAGES:
            self._flush()

    def _flush(self) -> None:
        requests, tokens = self._untold
        self._untold, self._told_at = (0, 0), time.monotonic()
        if requests or tokens:
            self.tell({"requests": requests, "tokens": tokens})


def _usage(results: Sequence[Generation | Score | LabelProbs | Failure], seconds: float) -> Usage:
    served = [result for result in results if not isinstance(result, Failure)]
    sampled = sum(result.n_tokens for result in served if isinstance(result, Generation))
    prompts = sum(result.n_prompt_tokens for result in served)
    return Usage(len(results), prompts, sampled, seconds)


@dataclass(frozen=True, slots=True)
class PooledGenerator:
    """A `Generator` that finds its engine in the pool at every call: models can take turns."""

    spec: ModelSpec
    pool: ModelPool

    @property
    def fingerprint(self) -> str:
        """Identity of the model."""
        return self.spec.fingerprint

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What may be asked of it."""
        return self.spec.capabilities

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """See `schemas.models.Generator`."""
        return self.pool.measured(self.spec, len(requests), lambda m: m.generate(requests))

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """See `schemas.models.Generator`."""
        return self.pool.measured(self.spec, len(requests), lambda m: m.score(requests))

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """See `schemas.models.Generator`."""
        return self.pool.measured(self.spec, len(requests), lambda m: m.label_probs(requests))

    def close(self) -> None:
        """The pool closes engines; a stage has nothing to close."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The `schemas.stage.Context` of a real run."""

    stage: str
    recipe_seed: int
    specs: dict[str, ModelSpec]
    pool: ModelPool

    def model(self, role: str) -> Generator:
        """See `schemas.stage.Context`."""
        return PooledGenerator(self.specs[role], self.pool)

    def chat(self, role: str) -> ChatFormat:
        """See `schemas.stage.Context`."""
        return self.pool.get(self.specs[role]).chat

    def model_name(self, role: str) -> str:
        """See `schemas.stage.Context`."""
        return self.specs[role].name
