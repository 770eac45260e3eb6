"""Answers from a script: the test double of the engines, and the demo of a plan.

Never a model: what it says is decided by functions of the request alone, so a run with it is
reproducible byte for byte.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook, no_progress
from pipeline.engines.echo import (
    echo,
    echo_embedding,
    echo_hidden,
    echo_labels,
    echo_likelihood,
    echo_reward,
    seen,
)
from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.script_file import Script, parse_script
from pipeline.engines.scripted_faults import Breaker, Health
from pipeline.engines.scripted_pace import Lengths, Logbook, Pace, Pacer
from schemas.errors import InputError
from schemas.ids import digest
from schemas.models import (
    Capability,
    Embedding,
    EmbedRequest,
    Failure,
    GenerateRequest,
    Generation,
    HiddenRequest,
    HiddenSum,
    LabelProbs,
    LabelRequest,
    Prompt,
    Reward,
    RewardRequest,
    Score,
    ScoreRequest,
)
from schemas.recipe import ModelEntry, ModelPlacement

Answer = Callable[[GenerateRequest], Generation | Failure | str]
Likelihood = Callable[[ScoreRequest], Score | Failure | float]
Labels = Callable[[LabelRequest], LabelProbs | Failure | Sequence[float]]
Hidden = Callable[[HiddenRequest], Failure | Sequence[float]]
Worth = Callable[[RewardRequest], Reward | Failure | float]
Vector = Callable[[EmbedRequest], Failure | Sequence[float]]

EVERYTHING: frozenset[Capability] = frozenset(
    (
        "generate",
        "raw_prompt",
        "seed",
        "logprobs",
        "score",
        "label_probs",
        "structured",
        "hidden_states",
        "reward",
        "embed",
    )
)

_ECHO_VERSION = 1
"""Raised when `echo` would say something else."""

Q = TypeVar(
    "Q", GenerateRequest, ScoreRequest, LabelRequest, HiddenRequest, RewardRequest, EmbedRequest
)
R = TypeVar("R", Generation, Score, LabelProbs, HiddenSum, Reward, Embedding)


def even_likelihood(request: ScoreRequest) -> float:
    """One nat a word."""
    return -float(len(request.completion.split()))


def even_labels(request: LabelRequest) -> list[float]:
    """The same probability for every label."""
    return [1 / len(request.labels)] * len(request.labels)


class ScriptedGenerator:
    """A model of every kind whose answers are functions of the request.

    Attributes:
        pacer: makes callers wait, and knows how busy it was; None answers at once.
    """

    def __init__(
        self,
        answer: Answer = echo,
        likelihood: Likelihood = even_likelihood,
        labels: Labels = even_labels,
        capabilities: frozenset[Capability] = EVERYTHING,
        fingerprint: str = "scripted",
        progress: ProgressHook = no_progress,
        breaker: Breaker | None = None,
        pacer: Pacer | None = None,
        lengths: Lengths | None = None,
        health: Health | None = None,
        hidden: Hidden = echo_hidden,
        worth: Worth = echo_reward,
        vector: Vector = echo_embedding,
    ) -> None:
        self.fingerprint = fingerprint
        self.capabilities = capabilities
        self.pacer = pacer
        self._answer = answer
        self._likelihood = likelihood
        self._labels = labels
        self._hidden = hidden
        self._worth = worth
        self._vector = vector
        self._progress = progress
        self._breaker = breaker
        self._lengths = lengths
        self._health = health or Health()

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """Answer each request; a plain text becomes a finished generation."""
        return self._serve(requests, self._generation, sampling=True)

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """Score each request; a plain number is the sum, tokens are words."""
        return self._serve(requests, self._score)

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """Give each request its label probabilities."""
        return self._serve(requests, self._label_probs)

    def hidden_sums(self, requests: Sequence[HiddenRequest]) -> list[HiddenSum | Failure]:
        """Give each request its sum of states; tokens are words."""
        return self._serve(requests, self._hidden_sum)

    def reward(self, requests: Sequence[RewardRequest]) -> list[Reward | Failure]:
        """Score each conversation; a plain number is the one output, `reward`."""
        return self._serve(requests, self._reward)

    def embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        """Give each text its vector; tokens are words."""
        return self._serve(requests, self._embedding)

    def close(self) -> None:
        """Whoever still waits for it is told that it is gone."""
        self._health.die("the scripted engine was closed")
        if self.pacer is not None:
            self.pacer.close()

    def _serve(
        self, requests: Sequence[Q], answer: Callable[[Q], R | Failure], *, sampling: bool = False
    ) -> list[R | Failure]:
        self._health.check()
        if self._breaker is None:
            results = [answer(request) for request in requests]
        else:
            meet = self._breaker.meet
            results = [meet(request) or answer(request) for request in requests]
        steps = [_steps(result) for result in results]
        if self.pacer is None:
            self._progress(len(results), sum(steps) if sampling else 0)
        else:
            self.pacer.serve(steps, self._progress, sampling=sampling)
        return results

    def _generation(self, request: GenerateRequest) -> Generation | Failure:
        answer = self._answer(request)
        if not isinstance(answer, str):
            return answer
        n_prompt, n_tokens = _words(request.prompt), len(answer.split()) + 1
        end: Literal["stop", "length"] = "stop"
        if self._lengths is not None:
            n_tokens, limit = self._lengths.draw(request.seed), request.sampling.max_tokens
            if n_tokens > limit:
                n_tokens, end = limit, "length"
        return Generation(request.request_id, answer, end, n_tokens, n_prompt, -float(n_tokens))

    def _score(self, request: ScoreRequest) -> Score | Failure:
        value = self._likelihood(request)
        if not isinstance(value, (int, float)):
            return value
        n_tokens = len(request.completion.split())
        return Score(request.request_id, float(value), n_tokens, _words(request.prompt))

    def _label_probs(self, request: LabelRequest) -> LabelProbs | Failure:
        value = self._labels(request)
        if isinstance(value, (LabelProbs, Failure)):
            return value
        return LabelProbs(request.request_id, tuple(value), _words(request.prompt))

    def _hidden_sum(self, request: HiddenRequest) -> HiddenSum | Failure:
        value = self._hidden(request)
        if isinstance(value, Failure):
            return value
        n_tokens = len(request.completion.split())
        return HiddenSum(request.request_id, tuple(value), n_tokens, _words(request.prompt))

    def _reward(self, request: RewardRequest) -> Reward | Failure:
        value = self._worth(request)
        if not isinstance(value, (int, float)):
            return value
        n_read = _words(request.conversation)
        return Reward(request.request_id, ("reward",), (float(value),), n_read)

    def _embedding(self, request: EmbedRequest) -> Embedding | Failure:
        value = self._vector(request)
        if isinstance(value, Failure):
            return value
        return Embedding(request.request_id, array("f", value), len(request.text.split()))


def _steps(result: R | Failure) -> int:
    """How many steps of an engine a result costs; a prompt that is only read costs one."""
    if isinstance(result, Generation):
        return result.n_tokens
    return 0 if isinstance(result, Failure) else 1


def _words(prompt: Prompt) -> int:
    """How many words a prompt has, told by its spaces: splitting long ones would cost the most."""
    return seen(prompt).count(" ") + 1


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
        InputError: the script is gone, no longer makes sense, or cannot leave marks beside it.
    """
    path = Path(spec.path)
    script = Script() if spec.path == "echo" else parse_script(_read(path, spec.role), path)
    marks, health = path.with_suffix(".marks"), Health()
    if script.leaves_marks:
        _make_folder(marks)
    pacer = _pacer(script.pace, marks, health) if script.pace else None
    generator = ScriptedGenerator(
        *_answers(script),
        spec.capabilities,
        spec.fingerprint,
        progress,
        Breaker(script.faults, marks, health) if script.faults else None,
        pacer,
        script.answer_tokens,
        health,
        script.hidden if script.rules else echo_hidden,
        script.worth if script.rules else echo_reward,
        script.vector if script.rules else echo_embedding,
    )
    return LoadedModel(spec, generator, PlainChat())


def _answers(script: Script) -> tuple[Answer, Likelihood, Labels]:
    """Without rules, `echo` itself: the way of runs that measure everything but the model."""
    if not script.rules:
        return echo, echo_likelihood, echo_labels
    return script.answer, script.likelihood, script.label_probs


def _pacer(pace: Pace, marks: Path, health: Health) -> Pacer:
    return Pacer(pace, health, Logbook(marks / "engines.jsonl") if pace.record else None)


def _make_folder(marks: Path) -> None:
    try:
        marks.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {marks}: {error}; a script with `times` or `record` must lie "
            "where its engines can write"
        ) from None


def _read(path: Path, role: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"model `{role}`: cannot read the script {path}: {error}; `model` of a scripted "
            "engine is `echo` or a YAML file of rules, relative to the recipe"
        ) from None
