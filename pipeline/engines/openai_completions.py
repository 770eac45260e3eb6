"""/v1/completions: prompts go as token ids, so what the model reads is known to the token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.engines.openai_answers import Completion, TextChoice
from pipeline.engines.openai_calls import (
    TOP_LOGPROBS,
    check_structure,
    finished,
    label_probs,
    sampling_body,
)
from pipeline.engines.openai_http import Call, RequestFailed
from pipeline.engines.tokenizer import encode_pair, encode_prompt
from schemas.errors import EngineUnavailable
from schemas.models import (
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Prompt,
    Score,
    ScoreRequest,
)

Scoring = Literal["echo", "prompt_logprobs"]
"""How a server gives the log-probabilities of a given text."""

_PATH = "/completions"


@dataclass(frozen=True, slots=True)
class Completions:
    """Requests to /v1/completions.

    Attributes:
        model: its name on the server.
        tokenizer: the model's.
        extended: the server understands vLLM's extra fields.
        scoring: None if the server cannot score given text.
    """

    model: str
    tokenizer: Any
    extended: bool = False
    scoring: Scoring | None = None

    def generate(self, request: GenerateRequest) -> Call[Generation]:
        """Sample an answer, with the log-probabilities of its tokens."""
        prompt = self._prompt(request.prompt)
        body = sampling_body(request, extended=self.extended) | {"logprobs": 1}

        def read(answer: Any) -> Generation:
            choice, n_tokens = _choice(answer, len(prompt))
            reason = finished(choice.finish_reason)
            check_structure(choice.text, reason, request.sampling.structure)
            logprob_sum = sum(_sampled_logprobs(choice))
            return Generation(
                request.request_id, choice.text, reason, n_tokens, len(prompt), logprob_sum
            )

        return self._call(prompt, body, read)

    def score(self, request: ScoreRequest) -> Call[Score]:
        """Let the server read prompt and completion; only the completion's tokens count."""
        prompt, completion = encode_pair(
            self.tokenizer, self._text(request.prompt), request.completion
        )
        both = prompt + completion
        if self.scoring is None:
            raise EngineUnavailable(
                f"the server of `{self.model}` gives log-probabilities of given text neither by "
                "`echo` nor by `prompt_logprobs`; score with a vLLM server, or `engine: vllm`"
            )
        wish = {"echo": True, "logprobs": 1} if self.scoring == "echo" else {"prompt_logprobs": 0}
        # One token is sampled and thrown away: not every server takes max_tokens 0.
        body = {"max_tokens": 1, "temperature": 0.0, **wish}

        def read(answer: Any) -> Score:
            choice, _ = _choice(answer, len(both))
            logprobs = _given_logprobs(choice, both)[len(prompt) :]
            return Score(request.request_id, sum(logprobs), len(logprobs), len(prompt))

        return self._call(both, body, read)

    def label_probs(self, request: LabelRequest) -> Call[LabelProbs]:
        """Ask for the likeliest next tokens and look the labels up."""
        prompt = self._prompt(request.prompt)
        text = self._text(request.prompt)
        tokens = {label: self._label_token(text, label) for label in request.labels}
        body = {"max_tokens": 1, "temperature": 0.0, "logprobs": TOP_LOGPROBS}
        if self.extended:
            body["return_tokens_as_token_ids"] = True

        def read(answer: Any) -> LabelProbs:
            choice, _ = _choice(answer, len(prompt))
            steps = choice.logprobs.top_logprobs if choice.logprobs else None
            top = (steps[0] if steps else None) or {}
            probs = label_probs(tokens, list(top.items()))
            return LabelProbs(request.request_id, probs, len(prompt))

        return self._call(prompt, body, read)

    def _text(self, prompt: Prompt) -> str:
        if not prompt.text:
            raise RequestFailed("empty_prompt", "the prompt has no rendered text")
        return prompt.text

    def _prompt(self, prompt: Prompt) -> list[int]:
        return encode_prompt(self.tokenizer, self._text(prompt))

    def _label_token(self, prompt: str, label: str) -> str:
        """The token of a label, as this server spells it.

        By id where it can be had: answers list tokens by their text, and tokens that differ in a
        leading blank may share one.
        """
        _, ids = encode_pair(self.tokenizer, prompt, label)
        if len(ids) != 1:
            raise RequestFailed("bad_request", f"label {label!r} is {len(ids)} tokens, not one")
        return f"token_id:{ids[0]}" if self.extended else label

    def _call(
        self, prompt: list[int], body: Mapping[str, Any], read: Callable[[Any], Any]
    ) -> Call[Any]:
        return Call(_PATH, {"model": self.model, "prompt": prompt, **body}, read)


def _choice(answer: Any, n_sent: int) -> tuple[TextChoice, int]:
    """The answer's choice and the number of tokens sampled."""
    completion = Completion.model_validate(answer)
    n_read = completion.usage.prompt_tokens
    if n_read != n_sent:
        raise RequestFailed(
            "malformed", f"the server read {n_read} prompt tokens where {n_sent} were sent"
        )
    return completion.choices[0], completion.usage.completion_tokens


def _sampled_logprobs(choice: TextChoice) -> list[float]:
    values = choice.logprobs.token_logprobs if choice.logprobs else None
    return _known(values)


def _given_logprobs(choice: TextChoice, tokens: list[int]) -> list[float]:
    """The log-probability of each token that was sent; 0 for the first, which has none."""
    if choice.prompt_logprobs is not None:
        steps = zip(choice.prompt_logprobs, tokens, strict=False)
        entries = [(step or {}).get(str(token)) for step, token in steps]
        values: list[float | None] = [entry.logprob if entry else None for entry in entries]
    else:
        values = list(choice.logprobs.token_logprobs if choice.logprobs else ())
    if len(values) < len(tokens):
        values = []
    return [0.0, *_known(values[1 : len(tokens)])]


def _known(values: Sequence[float | None] | None) -> list[float]:
    known = [value for value in values or () if value is not None]
    if not values or len(known) < len(values):
        raise RequestFailed("no_logprobs", "the server left out log-probabilities asked for")
    return known
