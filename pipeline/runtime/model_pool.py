"""The models that are open in this process.

A worker keeps its engine warm from one part to the next, and several parts share it. Only one
model is open at a time: it has the device to itself. Parts that use two take turns between them,
and all that want the open one are served before the next is opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.engines.base import LoadedModel, ModelSpec
from pipeline.runtime.reports import Usage
from pipeline.runtime.surroundings import StepSurroundings
from pipeline.runtime.watchdog import Pulse
from schemas.errors import EngineDied
from schemas.models import (
    Capability,
    ChatFormat,
    Embedder,
    Embedding,
    EmbedRequest,
    Failure,
    GenerateRequest,
    Generation,
    Generator,
    HiddenReader,
    HiddenRequest,
    HiddenSum,
    LabelProbs,
    LabelRequest,
    Reward,
    Rewarder,
    RewardRequest,
    Score,
    ScoreRequest,
)

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
R = TypeVar("R", Generation, Score, LabelProbs, HiddenSum, Reward, Embedding)

Result = Generation | Score | LabelProbs | HiddenSum | Reward | Embedding

Tell = Callable[[dict[str, Any]], None]
"""Where progress goes: receives small messages, see `Meter`."""

_SECONDS_BETWEEN_MESSAGES = 0.2


def tell_nobody(message: dict[str, Any]) -> None:
    """Progress that no one watches."""


@dataclass
class ModelPool:
    """Opens models on demand and closes the one that is in the way.

    Attributes:
        pulse: beats whenever the open engine gets on with something.
    """

    pulse: Pulse = field(default_factory=Pulse)
    _open: LoadedModel | None = None
    _users: int = 0
    _chats: dict[tuple[str, str], ChatFormat] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def lease(self, spec: ModelSpec, tell: Tell = tell_nobody) -> Iterator[LoadedModel]:
        """The model `spec`, which stays open while the block lasts.

        Opens it if need be, once nobody uses the one that is open.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._is_open(spec))
            if not self._is_open(spec):
                self._replace(spec, tell)
            assert self._open is not None
            model = self._open
            self._users += 1
        try:
            yield model
        except EngineDied:
            self._forget(model)  # the next try gets a new engine
            raise
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def chat(self, spec: ModelSpec, tell: Tell = tell_nobody) -> ChatFormat:
        """How conversations with a model are written; known since it was first opened."""
        name = (spec.name, spec.fingerprint)
        if name not in self._chats:
            with self.lease(spec, tell) as model:
                self._chats[name] = model.chat
        return self._chats[name]

    def close(self) -> None:
        """Close what is open and free its device."""
        with self._changed:
            if self._open is not None:
                self._open.model.close()
                self._open = None

    def _is_open(self, spec: ModelSpec) -> bool:
        return self._open is not None and self._open.spec == spec

    def _replace(self, spec: ModelSpec, tell: Tell) -> None:
        from pipeline.engines.open import open_model

        self.close()
        tell({"loading": spec.name})
        self._open = open_model(spec, self.pulse.beat)

    def _forget(self, model: LoadedModel) -> None:
        with self._changed:
            if self._open is model:
                self.close()


@dataclass
class Meter:
    """What the models do for one part, counted and told.

    Tells `{"loading": name}` when a model is opened for it, `{"expect": n}` when n requests
    begin, `{"requests": n, "tokens": n}` as they are served, `{"warning": text}`, and
    `{"hung": why}` before the process is killed because its engine hangs.
    """

    tell: Tell = tell_nobody
    usage: Usage = field(default_factory=Usage)
    _untold: tuple[int, int] = (0, 0)
    _told_at: float = 0.0

    def expect(self, requests: int) -> None:
        """Requests begin."""
        self.tell({"expect": requests})

    def served(self, requests: int, tokens: int) -> None:
        """Note progress; passed on a few times a second."""
        self._untold = (self._untold[0] + requests, self._untold[1] + tokens)
        if time.monotonic() - self._told_at > _SECONDS_BETWEEN_MESSAGES:
            self.flush()

    def flush(self) -> None:
        """Pass on what was not told yet."""
        requests, tokens = self._untold
        self._untold, self._told_at = (0, 0), time.monotonic()
        if requests or tokens:
            self.tell({"requests": requests, "tokens": tokens})

    def add(self, results: Sequence[Result | Failure], seconds: float) -> None:
        """Count what a call cost."""
        self.flush()
        served = [result for result in results if not isinstance(result, Failure)]
        sampled = sum(result.n_tokens for result in served if isinstance(result, Generation))
        prompts = sum(result.n_prompt_tokens for result in served)
        cached = sum(getattr(result, "n_cached_tokens", 0) for result in served)
        cut = sum(getattr(result, "n_truncated", 0) > 0 for result in served)
        self.usage += Usage(len(results), prompts, sampled, seconds, cached, cut)


@dataclass(frozen=True, slots=True)
class PooledModel:
    """A model that finds its engine in the pool at every call, so that models can take turns."""

    spec: ModelSpec
    pool: ModelPool
    meter: Meter

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
        return self._measured(len(requests), lambda model: model.generator.generate(requests))

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """See `schemas.models.Generator`."""
        return self._measured(len(requests), lambda model: model.generator.score(requests))

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """See `schemas.models.Generator`."""
        return self._measured(len(requests), lambda model: model.generator.label_probs(requests))

    def hidden_sums(self, requests: Sequence[HiddenRequest]) -> list[HiddenSum | Failure]:
        """See `schemas.models.HiddenReader`."""
        return self._measured(
            len(requests), lambda model: model.hidden_reader.hidden_sums(requests)
        )

    def reward(self, requests: Sequence[RewardRequest]) -> list[Reward | Failure]:
        """See `schemas.models.Rewarder`."""
        return self._measured(len(requests), lambda model: model.rewarder.reward(requests))

    def embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        """See `schemas.models.Embedder`. The model is opened only for texts not yet known."""
        from pipeline.engines.embedding_cache import cache_of

        cache = cache_of(self.spec, lambda text: self.meter.tell({"warning": text}))
        if cache is None:
            return self._embed(requests)
        results = cache.embed(requests, self._embed)
        known = [one for one in results if isinstance(one, Embedding) and one.n_cached_tokens]
        self.meter.add(known, seconds=0.0)
        return results

    def _embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        return self._measured(len(requests), lambda model: model.embedder.embed(requests))

    def close(self) -> None:
        """The pool closes engines; a stage has nothing to close."""

    def _measured(
        self, size: int, ask: Callable[[LoadedModel], list[R | Failure]]
    ) -> list[R | Failure]:
        with self.pool.lease(self.spec, self.meter.tell) as model:
            self.meter.expect(size)
            started = time.perf_counter()
            with self.pool.pulse.watch(self.spec, self.meter.served, self._hung):
                results = ask(model)
            self.meter.add(results, time.perf_counter() - started)
        return results

    def _hung(self) -> None:
        limit_s = self.spec.placement.hang_timeout_s
        self.meter.tell({"hung": f"its engine did nothing for {limit_s:g} s and was killed"})


@dataclass(frozen=True, slots=True)
class RunContext:
    """The `schemas.stage.Context` of a real run."""

    around: StepSurroundings
    specs: dict[str, ModelSpec]
    pool: ModelPool
    meter: Meter = field(default_factory=Meter)

    @property
    def stage(self) -> str:
        """See `schemas.stage.Context`."""
        return self.around.stage

    @property
    def recipe_seed(self) -> int:
        """See `schemas.stage.Context`."""
        return self.around.recipe_seed

    def given(self, name: str) -> pa.Table:
        """See `schemas.stage.Context`."""
        return self.around.given(name)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """See `schemas.stage.Context`."""
        return self.around.once(name, make)

    def model(self, role: str) -> Generator:
        """See `schemas.stage.Context`."""
        return PooledModel(self.specs[role], self.pool, self.meter)

    def hidden_reader(self, role: str) -> HiddenReader:
        """See `schemas.stage.Context`."""
        return PooledModel(self.specs[role], self.pool, self.meter)

    def rewarder(self, role: str) -> Rewarder:
        """See `schemas.stage.Context`."""
        return PooledModel(self.specs[role], self.pool, self.meter)

    def embedder(self, role: str) -> Embedder:
        """See `schemas.stage.Context`."""
        return PooledModel(self.specs[role], self.pool, self.meter)

    def chat(self, role: str) -> ChatFormat:
        """See `schemas.stage.Context`."""
        return self.pool.chat(self.specs[role], self.meter.tell)

    def model_name(self, role: str) -> str:
        """See `schemas.stage.Context`."""
        return self.specs[role].name
