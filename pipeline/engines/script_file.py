"""A script: YAML that says what a scripted model answers, how fast, and how it breaks.

    rules:                              # without a rule that fits, the model behaves like `echo`
      - match: "capital of France"      # in the prompt; or `regex:`; neither matches any prompt
        answer: ["Paris.", "It is Paris."]          # one of them, by the seed
      - regex: "Answer [AB]"
        labels: {A: 0.8, B: 0.1}
        logprob_per_token: -0.5
      - match: "poison"
        fail: server
    pace:                               # as a GPU with continuous batching, see `scripted_pace`
      startup_s: 20                     # opening the model takes that long
      tokens_per_s: 4000                # of the whole engine, all its slots in use
      max_num_seqs: 64                  # its slots
      answer_tokens: {min: 64, max: 512}            # or one number
      record: true                      # note in <script>.marks/engines.jsonl what engines did
    faults:                             # how it breaks, see `scripted_faults`
      - {match: "topic 7", kill: true, times: 1}
      - {regex: "topic 8[0-9]", fail: timeout}
      - {every_s: 600, hang: true}      # at random, that often on average in an engine's life

The first rule that matches and has what is asked for decides. `answer_tokens` says how many tokens
an answer has, whatever its text: drawn from the request's seed, log-uniform, cut at the request's
max_tokens. Rules and answer_tokens decide rows, so they are the model's identity; the rest is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.engines.echo import echo, echo_labels, echo_likelihood, seen
from schemas.errors import InputError
from schemas.models import Failure, FailureKind, GenerateRequest, LabelRequest, Prompt, ScoreRequest


class _Pattern(BaseModel):
    """Which prompts are meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str | None = Field(None, description="A text that the prompt must contain.")
    regex: str | None = Field(None, description="A pattern to be found in the prompt.")

    @model_validator(mode="after")
    def _check_pattern(self) -> Self:
        if self.match is not None and self.regex is not None:
            raise ValueError("`match` or `regex`, not both")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"`regex` {self.regex!r} is no pattern: {error}") from None
        return self

    def matches(self, text: str) -> bool:
        """Whether a prompt is meant."""
        if self.regex is not None:
            return re.search(self.regex, text) is not None
        return self.match is None or self.match in text


class Rule(_Pattern):
    """What the model answers to some prompts."""

    answer: tuple[str, ...] = Field((), description="Answers; the seed picks one.")
    labels: dict[str, float] = Field({}, description="Probability of each label.")
    logprob_per_token: float | None = Field(None, le=0, description="Nats per word of a score.")
    fail: FailureKind | None = Field(None, description="Fail every request that matches.")

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if min(self.labels.values(), default=0) < 0 or sum(self.labels.values()) > 1:
            raise ValueError("`labels` are probabilities: none below 0, together at most 1")
        return self


class AnswerTokens(BaseModel):
    """How many tokens an answer has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min: int = Field(ge=1, description="Least number of tokens.")
    max: int = Field(ge=1, description="Largest number of tokens.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"`min` {self.min} is above `max` {self.max}")
        return self

    def draw(self, seed: int) -> int:
        """A number from min to max, log-uniform over seeds."""
        # Multiplied by 2**64 over the golden ratio, so that small and close seeds spread too.
        share = (seed * 0x9E3779B97F4A7C15 % 2**64) / 2**64
        return min(self.max, int(self.min * ((self.max + 1) / self.min) ** share))


class Pace(BaseModel):
    """How fast the engine is; without `tokens_per_s` as fast as it can be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tokens_per_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Of the whole engine, all slots in use."
    )
    max_num_seqs: int = Field(64, ge=1, description="Slots: requests that run at once.")
    startup_s: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="Seconds that opening the model takes."
    )
    answer_tokens: AnswerTokens | None = Field(
        None, description="How long answers are; None: as many tokens as words, and one to stop."
    )
    record: bool = Field(False, description="Note what engines did in <script>.marks.")

    @field_validator("answer_tokens", mode="before")
    @classmethod
    def _one_length(cls, value: Any) -> Any:
        return {"min": value, "max": value} if isinstance(value, int) else value

    @model_validator(mode="after")
    def _check_record(self) -> Self:
        if self.record and self.tokens_per_s is None:
            raise ValueError("`record` needs `tokens_per_s`: without it engines are never busy")
        return self


class Fault(_Pattern):
    """A way to break, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    every_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Mean seconds between random occurrences."
    )
    fail: FailureKind | None = Field(None, description="The request fails.")
    die: bool = Field(False, description="The engine is gone; its process lives on.")
    kill: bool = Field(False, description="The process is killed, as by the OOM killer.")
    hang: bool = Field(False, description="The engine stops answering, for ever.")
    times: int | None = Field(
        None, ge=1, description="Occurrences over all processes and runs; None: no end."
    )

    @model_validator(mode="after")
    def _check_fault(self) -> Self:
        if self.every_s is not None and (self.match is not None or self.regex is not None):
            raise ValueError("a fault comes with a prompt or at random: `every_s` stands alone")
        if sum((self.fail is not None, self.die, self.kill, self.hang)) != 1:
            raise ValueError("a fault does one thing: `fail: KIND`, or `die`, `kill`, `hang: true`")
        return self


class Script(BaseModel):
    """A script; its rules as the three functions that a `ScriptedGenerator` takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = ()
    pace: Pace = Pace()
    faults: tuple[Fault, ...] = ()

    @property
    def identity(self) -> str:
        """All of the script that decides answers, in one spelling; empty if it says `echo`."""
        said = {
            "rules": [rule.model_dump(exclude_defaults=True) for rule in self.rules],
            "answer_tokens": self.pace.answer_tokens and self.pace.answer_tokens.model_dump(),
        }
        said = {key: value for key, value in said.items() if value}
        return json.dumps(said, sort_keys=True) if said else ""

    @property
    def leaves_marks(self) -> bool:
        """Whether its engines write beside it."""
        return self.pace.record or any(fault.times is not None for fault in self.faults)

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
        return Script.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: the script is not valid YAML: {error}") from None
    except ValidationError as error:
        raise InputError(
            f"{path}: the script cannot be used:\n  " + "\n  ".join(map(_told, error.errors()))
        ) from None


def _told(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the whole file"
    value = problem["input"]
    seen_value = f", got {value!r}" if isinstance(value, str | int | float) else ""
    return f"{key}: {problem['msg']}{seen_value}"
