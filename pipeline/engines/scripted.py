"""Answers from a script: the test double of the engines, and the demo of a plan.

Never a model: what it says is decided by functions of the request alone, so a run with it is
reproducible byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

Answer = Callable[[GenerateRequest], Generation | Failure | str]
Likelihood = Callable[[ScoreRequest], Score | Failure | float]
Labels = Callable[[LabelRequest], LabelProbs | Failure | Sequence[float]]

EVERYTHING: frozenset[Capability] = frozenset(
    ("generate", "raw_prompt", "seed", "logprobs", "score", "label_probs", "structured")
)


def echo(request: GenerateRequest) -> str:
    """Answer with the end of the prompt and the seed: different per row and per sample."""
    tail = (request.prompt.text or "").strip()[-60:]
    return f"Scripted answer {request.seed % 100_000} to: {tail}"


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
    ) -> None:
        self.fingerprint = fingerprint
        self.capabilities = capabilities
        self._answer = answer
        self._likelihood = likelihood
        self._labels = labels

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """Answer each request; a plain text becomes a finished generation."""
        return [self._generation(request) for request in requests]

    def _generation(self, request: GenerateRequest) -> Generation | Failure:
        answer = self._answer(request)
        if not isinstance(answer, str):
            return answer
        n_prompt = len((request.prompt.text or "").split())
        n_tokens = len(answer.split()) + 1
        return Generation(request.request_id, answer, "stop", n_tokens, n_prompt, -float(n_tokens))

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """Score each request; a plain number is the sum, tokens are words."""
        return [self._score(request) for request in requests]

    def _score(self, request: ScoreRequest) -> Score | Failure:
        value = self._likelihood(request)
        if not isinstance(value, (int, float)):
            return value
        n_prompt = len((request.prompt.text or "").split())
        return Score(request.request_id, float(value), len(request.completion.split()), n_prompt)

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """Give each request its label probabilities."""
        return [self._label_probs(request) for request in requests]

    def _label_probs(self, request: LabelRequest) -> LabelProbs | Failure:
        value = self._labels(request)
        if isinstance(value, (LabelProbs, Failure)):
            return value
        n_prompt = len((request.prompt.text or "").split())
        return LabelProbs(request.request_id, tuple(value), n_prompt)

    def close(self) -> None:
        """Nothing to free."""
