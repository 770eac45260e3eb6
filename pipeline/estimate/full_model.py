"""A model measured as full as a run would keep it, though there are few rows to ask it of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any

from pipeline.engines.base import ModelSpec
from pipeline.runtime.model_pool import ModelPool, Tell
from schemas.models import Failure, GenerateRequest, Generation

_LAST_SEED = 2**63


@dataclass
class Calls:
    """What the models did for one step.

    Attributes:
        seconds: in models, those of copies left out.
        copies_s: for copies of requests, whose answers nobody sees.
        asked: requests of the largest call.
        in_flight: how many requests the engine had at once during it.
        tokens: sampled for each request, copies included.
    """

    seconds: float = 0.0
    copies_s: float = 0.0
    asked: int = 0
    in_flight: int = 0
    tokens: list[int] = field(default_factory=list)


class FullModel:
    """Stands in for an open model.

    Answers are sampled beside copies of the same requests with other seeds, until the engine has
    as much to do as it would have in the run. An answer that was given is remembered: asked again
    it costs nothing, so that a stage's own work can be timed apart.
    """

    def __init__(self, model: Any, fill: Callable[[int], int], calls: Callable[[], Calls]) -> None:
        self._model = model
        self._fill = fill
        self._calls = calls
        self._known: dict[tuple[str, Any], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """See `schemas.models.Generator`."""
        return self._remembered("generate", requests, self._generate)

    def score(self, requests: Sequence[Any]) -> list[Any]:
        """See `schemas.models.Generator`."""
        return self._timed("score", requests)

    def label_probs(self, requests: Sequence[Any]) -> list[Any]:
        """See `schemas.models.Generator`."""
        return self._timed("label_probs", requests)

    def hidden_sums(self, requests: Sequence[Any]) -> list[Any]:
        """See `schemas.models.HiddenReader`."""
        return self._timed("hidden_sums", requests)

    def reward(self, requests: Sequence[Any]) -> list[Any]:
        """See `schemas.models.Rewarder`."""
        return self._timed("reward", requests)

    def embed(self, requests: Sequence[Any]) -> list[Any]:
        """See `schemas.models.Embedder`."""
        return self._timed("embed", requests)

    def _remembered(
        self, name: str, requests: Sequence[Any], ask: Callable[[Sequence[Any]], list[Any]]
    ) -> list[Any]:
        new = [request for request in requests if (name, request) not in self._known]
        if new:
            answers = zip(new, ask(new), strict=True)
            self._known.update({(name, request): answer for request, answer in answers})
        return [self._known[name, request] for request in requests]

    def _timed(self, name: str, requests: Sequence[Any]) -> list[Any]:
        def ask(wanted: Sequence[Any]) -> list[Any]:
            started = time.perf_counter()
            results: list[Any] = getattr(self._model, name)(wanted)
            self._note(len(wanted), len(wanted), time.perf_counter() - started, 0.0)
            return results

        return self._remembered(name, requests, ask)

    def _generate(self, requests: Sequence[GenerateRequest]) -> list[Any]:
        copies = max(self._fill(len(requests)) - len(requests), 0)
        started = time.perf_counter()
        results = self._model.generate([*requests, *_copies(requests, copies)])
        seconds = time.perf_counter() - started
        tokens = [one.n_tokens if isinstance(one, Generation) else 0 for one in results]
        own = sum(tokens[: len(requests)])
        spent = seconds * own / sum(tokens) if sum(tokens) else seconds
        self._note(len(requests), len(results), spent, seconds - spent)
        self._calls().tokens += tokens
        return list(results[: len(requests)])

    def _note(self, asked: int, in_flight: int, seconds: float, copies_s: float) -> None:
        calls = self._calls()
        calls.seconds += seconds
        calls.copies_s += copies_s
        if asked > calls.asked:
            calls.asked, calls.in_flight = asked, in_flight


def _copies(requests: Sequence[GenerateRequest], count: int) -> list[GenerateRequest]:
    return [
        replace(
            request,
            request_id=f"{request.request_id}/copy{number}",
            seed=(request.seed + number) % _LAST_SEED,
        )
        for number, request in enumerate(islice(cycle(requests), count), 1)
    ]


@dataclass
class MeasuringPool(ModelPool):
    """A pool whose models are full, and which notes how long each took to open.

    Attributes:
        growth: how many times the rows of the probe the run has; None if it is not known.
        calls: where what the models do is noted; another for each step.
        starts: by role, seconds.
    """

    growth: float | None = None
    calls: Calls = field(default_factory=Calls)
    starts: dict[str, float] = field(default_factory=dict)

    def _replace(self, spec: ModelSpec, tell: Tell) -> None:
        started = time.perf_counter()
        super()._replace(spec, tell)
        self.starts.setdefault(spec.role, time.perf_counter() - started)
        assert self._open is not None, "it was just opened"
        full: Any = FullModel(
            self._open.model, lambda asked: self._fill(spec, asked), lambda: self.calls
        )
        self._open = replace(self._open, model=full)

    def _fill(self, spec: ModelSpec, asked: int) -> int:
        """Requests with which the engine is as full as in the run; a server is sent no copies."""
        in_run = at_once(spec) if self.growth is None else int(asked * max(self.growth, 1))
        return min(at_once(spec), in_run) if spec.has_weights else asked


def at_once(spec: ModelSpec) -> int:
    """How many requests an engine works on at once."""
    placement = spec.placement
    return placement.batch_size if spec.engine == "transformers" else placement.max_num_seqs
