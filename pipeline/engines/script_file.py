"""A script: rules in YAML that say what a scripted model answers.

    rules:
      - match: "capital of France"      # in the prompt; or `regex:`; neither matches any prompt
        answer: ["Paris.", "It is Paris."]          # one of them, by the seed
      - regex: "Answer [AB]"
        labels: {A: 0.8, B: 0.1}
        logprob_per_token: -0.5
        reward: 1.5
      - match: "poison"
        fail: server
    answer_tokens: {min: 32, max: 512}              # how long answers count as, whatever they say
    pace: {tokens_per_s: 3000, max_num_seqs: 64, startup_s: 20}     # take time like a GPU
    faults:
      - {match: "topic 17", effect: kill, times: 1}                 # or die, or hang
      - {regex: "topic 2[0-9]", fail: timeout}
      - {every_s: 600, effect: hang}    # at random, that often on average in an engine's life

The first rule that matches and has what is asked for decides; where there is none, the model
behaves like `echo`. Rules and `answer_tokens` are the model's identity; pace and faults are not,
as they change no row. Everything may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.engines.echo import (
    echo,
    echo_embedding,
    echo_hidden,
    echo_labels,
    echo_likelihood,
    echo_reward,
    seen,
)
from pipeline.engines.prompt_pattern import PromptPattern
from pipeline.engines.scripted_faults import Fault
from pipeline.engines.scripted_pace import Lengths, Pace
from schemas.errors import InputError
from schemas.models import (
    EmbedRequest,
    Failure,
    FailureKind,
    GenerateRequest,
    HiddenRequest,
    LabelRequest,
    Prompt,
    RewardRequest,
    ScoreRequest,
)


class Rule(PromptPattern):
    """One rule of a script."""

    answer: tuple[str, ...] = Field((), description="Answers; the seed picks one.")
    labels: dict[str, float] = Field({}, description="Probability of each label.")
    logprob_per_token: float | None = Field(None, le=0, description="Nats per word of a score.")
    reward: float | None = Field(None, description="What a conversation that matches is worth.")
    fail: FailureKind | None = Field(None, description="Fail every request that matches.")

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if min(self.labels.values(), default=0) < 0 or sum(self.labels.values()) > 1:
            raise ValueError("`labels` are probabilities: none below 0, together at most 1")
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = ()
    answer_tokens: Lengths | None = None
    pace: Pace | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """Rules as the functions that a `ScriptedGenerator` takes, and what it is else."""

    rules: tuple[Rule, ...] = ()
    answer_tokens: Lengths | None = None
    pace: Pace | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def identity(self) -> str:
        """What decides the answers, spelled one way; empty for `echo`, whatever its pace."""
        said = [rule.model_dump(exclude_defaults=True) for rule in self.rules]
        lengths = self.answer_tokens and self.answer_tokens.model_dump()
        return json.dumps([said, lengths], sort_keys=True) if said or lengths else ""

    @property
    def leaves_marks(self) -> bool:
        """Whether its engines write beside it."""
        recorded = self.pace is not None and self.pace.record
        return recorded or any(fault.times is not None for fault in self.faults)

    def answer(self, request: GenerateRequest) -> str | Failure:
        """The answer of the first rule that has one."""
        for rule in self._matching(request.prompt):
            if rule.fail:
                return _failure(request.request_id, rule.fail)
            if rule.answer:
                return rule.answer[request.seed % len(rule.answer)]
        return echo(request)

    def likelihood(self, request: ScoreRequest) -> float | Failure:
        """The likelihood that the first rule with one gives."""
        for rule in self._matching(request.prompt):
            if rule.fail:
                return _failure(request.request_id, rule.fail)
            if rule.logprob_per_token is not None:
                return rule.logprob_per_token * len(request.completion.split())
        return echo_likelihood(request)

    def label_probs(self, request: LabelRequest) -> list[float] | Failure:
        """The probabilities of the first rule with some; a label it does not name has none."""
        for rule in self._matching(request.prompt):
            if rule.fail:
                return _failure(request.request_id, rule.fail)
            if rule.labels:
                if rule.labels.keys() >= set(request.labels):
                    return [rule.labels[label] for label in request.labels]
                return _failure(request.request_id, "no_logprobs")
        return echo_labels(request)

    def hidden(self, request: HiddenRequest) -> list[float] | Failure:
        """The states of `echo`, unless the first rule that matches fails."""
        for rule in self._matching(request.prompt):
            if rule.fail:
                return _failure(request.request_id, rule.fail)
        return echo_hidden(request)

    def worth(self, request: RewardRequest) -> float | Failure:
        """The reward of the first rule that has one and matches the conversation."""
        for rule in self._matching(request.conversation):
            if rule.fail:
                return _failure(request.request_id, rule.fail)
            if rule.reward is not None:
                return rule.reward
        return echo_reward(request)

    def vector(self, request: EmbedRequest) -> list[float] | Failure:
        """The vector of `echo`, unless the first rule that matches the text fails."""
        for rule in self._matching(Prompt(request.text)):
            if rule.fail:
                return _failure(request.request_id, rule.fail)
        return echo_embedding(request)

    def _matching(self, prompt: Prompt) -> Iterator[Rule]:
        text = seen(prompt)
        return (rule for rule in self.rules if rule.matches(text))


def _failure(request_id: str, kind: FailureKind) -> Failure:
    return Failure(request_id, kind, "the script says so")


def parse_script(text: str, path: Path) -> Script:
    """Read a script.

    Raises:
        InputError: it is no YAML, or has keys or values that mean nothing.
    """
    import yaml

    try:
        content = _File.model_validate(yaml.safe_load(text) or {})
        return Script(content.rules, content.answer_tokens, content.pace, content.faults)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: the script is not valid YAML: {error}") from None
    except ValidationError as error:
        raise InputError(
            f"{path}: the script cannot be used:\n  " + "\n  ".join(map(_told, error.errors()))
        ) from None


def _told(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the whole file"
    value = problem["input"]
    got = f", got {value!r}" if isinstance(value, str | int | float) else ""
    return f"{key}: {problem['msg']}{got}"
