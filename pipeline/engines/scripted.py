"""Answers from a script: the test double of the engines, and the demo of a plan.

Never a model: what it says is decided by functions of the request alone, so a run with it is
reproducible byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook, no_progress
from pipeline.engines.echo import echo, seen
from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.script_file import Script, parse_script
from pipeline.engines.scripted_faults import Breaker
from pipeline.engines.scripted_pace import Lengths, PacedSlots
from schemas.errors import InputError
from schemas.ids import digest
from schemas.models import (
    Capability,
    Failure,
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


class ScriptedGenerator:
    """A `Generator` whose answers are functions of the request."""

    def __init__(
        self,
        answer: Answer = echo,
        likelihood: Likelihood = even_likelihood,
        labels: Labels = even_labels,
        capabilities: frozenset[Capability] = EVERYTHING,
        fingerprint: str = "scripted",
        progress: ProgressHook = no_progress,
        breaker: Breaker | None = None,
        slots: PacedSlots | None = None,
        lengths: Lengths | None = None,
    ) -> None:
        self.fingerprint = fingerprint
        self.capabilities = capabilities
        self._answer = answer
        self._likelihood = likelihood
        self._labels = labels
        self._progress = progress
        self._breaker = breaker
        self._slots = slots
        self._lengths = lengths

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """Answer each request; a plain text becomes a finished generation."""
        return self._serve(requests, self._generation)

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """Score each request; a plain number is the sum, tokens are words."""
        return self._serve(requests, self._score)

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """Give each request its label probabilities."""
        return self._serve(requests, self._label_probs)

    def close(self) -> None:
        """Nothing to free."""

    def _serve(
        self, requests: Sequence[Q], answer: Callable[[Q], R | Failure]
    ) -> list[R | Failure]:
        if self._breaker is not None:
            for request in requests:
                self._breaker.strike(seen(request.prompt))
        results = [answer(request) for request in requests]
        sampled = [r.n_tokens if isinstance(r, Generation) else 0 for r in results]
        if self._slots is None:
            self._progress(len(results), sum(sampled))
        else:
            # A request that samples nothing takes one step, to be read.
            self._slots.serve([max(1, n) for n in sampled], self._progress)
        return results

    def _generation(self, request: GenerateRequest) -> Generation | Failure:
        answer = self._answer(request)
        if not isinstance(answer, str):
            return answer
        n_prompt = len(seen(request.prompt).split())
        n_tokens = len(answer.split()) + 1
        if self._lengths is not None:
            n_tokens = min(self._lengths.draw(request.seed), request.sampling.max_tokens)
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
    path, script = entry.model, Script()
    if entry.model != "echo":
        file = (base / entry.model).resolve()
        path, script = str(file), parse_script(_read(file, role), file)
    fingerprint = digest("scripted", _ECHO_VERSION, script.identity)
    return ModelSpec(
        role=role,
        entry=entry,
        placement=placement,
        engine="scripted",
        path=path,
        revision=None,
        capabilities=EVERYTHING,
        fingerprint=f"scripted-{fingerprint}",
        continuous=script.pace is not None,
    )


def open_scripted(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    """Make the generator of a resolved script.

    Raises:
        InputError: the script is gone or no longer makes sense.
    """
    path = Path(spec.path)
    marks = path.with_suffix(".marks")
    script = Script() if spec.path == "echo" else parse_script(_read(path, spec.role), path)
    generator = ScriptedGenerator(
        script.answer,
        script.likelihood,
        script.label_probs,
        spec.capabilities,
        spec.fingerprint,
        progress,
        Breaker(script.faults, marks) if script.faults else None,
        PacedSlots(script.pace, marks) if script.pace else None,
        script.answer_tokens,
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
