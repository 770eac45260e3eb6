"""Answers from a script: the test double of the engines, and the demo of a plan.

Never a model: what it says is decided by functions of the request alone, so a run with it is
reproducible byte for byte.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook, no_progress
from pipeline.engines.echo import echo, echo_labels, echo_likelihood, seen
from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.script_file import parse_script
from schemas.errors import EngineDied, InputError
from schemas.ids import digest
from schemas.models import (
    Capability,
    Failure,
    FailureKind,
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Score,
    ScoreRequest,
)
from schemas.recipe import ModelEntry, ModelPlacement

Answer = Callable[[GenerateRequest], Generation | Failure | str]
Likelihood = Callable[[ScoreRequest], Score | Failure | float]
Labels = Callable[[LabelRequest], LabelProbs | Failure | Sequence[float]]

EVERYTHING: frozenset[Capability] = frozenset(
    ("generate", "raw_prompt", "seed", "logprobs", "score", "label_probs", "structured")
)

_ECHO_VERSION = 1
"""Raised when `echo` would say something else."""

Q = TypeVar("Q", GenerateRequest, ScoreRequest, LabelRequest)
R = TypeVar("R", Generation, Score, LabelProbs)


def even_likelihood(request: ScoreRequest) -> float:
    """One nat a word."""
    return -float(len(request.completion.split()))


def even_labels(request: LabelRequest) -> list[float]:
    """The same probability for every label."""
    return [1 / len(request.labels)] * len(request.labels)


@dataclass(frozen=True, slots=True)
class Faults:
    """When a scripted engine breaks. Requests are numbered from 1 over the engine's life.

    Attributes:
        fail: requests that fail, and how.
        die_at: requests that kill the engine.
        hang_at: requests that wait until `resume` is set.
        resume: ends the waiting.
    """

    fail: Mapping[int, FailureKind] = field(default_factory=dict)
    die_at: frozenset[int] = frozenset()
    hang_at: frozenset[int] = frozenset()
    resume: threading.Event = field(default_factory=threading.Event)


class ScriptedGenerator:
    """A `Generator` whose answers are functions of the request."""

    def __init__(
        self,
        answer: Answer = echo,
        likelihood: Likelihood = even_likelihood,
        labels: Labels = even_labels,
        capabilities: frozenset[Capability] = EVERYTHING,
        fingerprint: str = "scripted",
        faults: Faults | None = None,
        progress: ProgressHook = no_progress,
    ) -> None:
        self.fingerprint = fingerprint
        self.capabilities = capabilities
        self._answer = answer
        self._likelihood = likelihood
        self._labels = labels
        self._faults = faults or Faults()
        self._progress = progress
        self._n_requests = 0

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """Answer each request; a plain text becomes a finished generation."""
        return [self._serve(request, self._generation) for request in requests]

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """Score each request; a plain number is the sum, tokens are words."""
        return [self._serve(request, self._score) for request in requests]

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """Give each request its label probabilities."""
        return [self._serve(request, self._label_probs) for request in requests]

    def close(self) -> None:
        """Nothing to free."""

    def _serve(self, request: Q, answer: Callable[[Q], R | Failure]) -> R | Failure:
        self._n_requests += 1
        number, faults = self._n_requests, self._faults
        if number in faults.hang_at:
            faults.resume.wait()
        if number in faults.die_at:
            raise EngineDied(f"the scripted engine died at request {number}, as planned")
        result: R | Failure
        if number in faults.fail:
            message = f"request {number} was planned to fail"
            result = Failure(request.request_id, faults.fail[number], message)
        else:
            result = answer(request)
        self._progress(1, result.n_tokens if isinstance(result, Generation) else 0)
        return result

    def _generation(self, request: GenerateRequest) -> Generation | Failure:
        answer = self._answer(request)
        if not isinstance(answer, str):
            return answer
        n_prompt = len(seen(request.prompt).split())
        n_tokens = len(answer.split()) + 1
        return Generation(request.request_id, answer, "stop", n_tokens, n_prompt, -float(n_tokens))

    def _score(self, request: ScoreRequest) -> Score | Failure:
        value = self._likelihood(request)
        if not isinstance(value, (int, float)):
            return value
        n_prompt = len(seen(request.prompt).split())
        return Score(request.request_id, float(value), len(request.completion.split()), n_prompt)

    def _label_probs(self, request: LabelRequest) -> LabelProbs | Failure:
        value = self._labels(request)
        if isinstance(value, (LabelProbs, Failure)):
            return value
        n_prompt = len(seen(request.prompt).split())
        return LabelProbs(request.request_id, tuple(value), n_prompt)


def resolve_scripted(
    role: str, entry: ModelEntry, placement: ModelPlacement, base: Path
) -> ModelSpec:
    """Resolve `echo` or a script file, whose path starts from the recipe's folder `base`.

    Raises:
        InputError: the script cannot be read, or says nothing that has a meaning.
    """
    path, content = entry.model, ""
    if entry.model != "echo":
        script = (base / entry.model).resolve()
        path, content = str(script), _read(script, role)
        parse_script(content, script)
    fingerprint = digest("scripted", _ECHO_VERSION, content)
    return ModelSpec(
        role, entry, placement, "scripted", path, None, EVERYTHING, f"scripted-{fingerprint}"
    )


def open_scripted(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    """Make the generator of a resolved script.

    Raises:
        InputError: the script is gone or no longer makes sense.
    """
    answer: Answer = echo
    likelihood: Likelihood = echo_likelihood
    labels: Labels = echo_labels
    if spec.path != "echo":
        path = Path(spec.path)
        script = parse_script(_read(path, spec.role), path)
        answer, likelihood, labels = script.answer, script.likelihood, script.label_probs
    generator = ScriptedGenerator(
        answer, likelihood, labels, spec.capabilities, spec.fingerprint, progress=progress
    )
    return LoadedModel(spec, generator, PlainChat())


def _read(path: Path, role: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"model `{role}`: cannot read the script {path}: {error}; `model` of a scripted "
            "engine is `echo` or a YAML file of rules, relative to the recipe"
        ) from None
