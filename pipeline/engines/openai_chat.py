"""/v1/chat/completions: the server renders the conversation, so only whole answers can be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.engines.openai_answers import ChatChoice, ChatCompletion
from pipeline.engines.openai_calls import (
    TOP_LOGPROBS,
    check_structure,
    finished,
    label_probs,
    sampling_body,
)
from pipeline.engines.openai_http import Call, RequestFailed
from schemas.errors import EngineUnavailable, InputError
from schemas.models import (
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Message,
    Prompt,
    Score,
    ScoreRequest,
    Stop,
)

_PATH = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Chat:
    """Requests to /v1/chat/completions.

    Attributes:
        model: its name on the server.
        extended: the server understands vLLM's extra fields.
    """

    model: str
    extended: bool = False

    def generate(self, request: GenerateRequest) -> Call[Generation]:
        """Sample an answer."""

        def read(answer: Any) -> Generation:
            choice, n_prompt, n_tokens = _choice(answer)
            reason = finished(choice.finish_reason)
            if choice.message.content is None:
                raise RequestFailed("malformed", "the answer has no content")
            check_structure(choice.message.content, reason, request.sampling.structure)
            return Generation(
                request.request_id, choice.message.content, reason, n_tokens, n_prompt
            )

        return self._call(request.prompt, sampling_body(request, extended=self.extended), read)

    def score(self, request: ScoreRequest) -> Call[Score]:
        """Impossible here: an answer cannot be given, only asked for."""
        raise EngineUnavailable(
            f"`{self.model}` is served by a chat endpoint, which cannot score given text; set "
            "`tokenizer` to use /v1/completions"
        )

    def label_probs(self, request: LabelRequest) -> Call[LabelProbs]:
        """Ask for the likeliest first tokens and look the labels up by their text."""
        body = {
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
        }

        def read(answer: Any) -> LabelProbs:
            choice, n_prompt, _ = _choice(answer)
            steps = choice.logprobs.content if choice.logprobs else None
            top = [(t.token, t.logprob) for t in steps[0].top_logprobs] if steps else []
            probs = label_probs({label: label for label in request.labels}, top)
            return LabelProbs(request.request_id, probs, n_prompt)

        return self._call(request.prompt, body, read)

    def _call(
        self, prompt: Prompt, body: Mapping[str, Any], read: Callable[[Any], Any]
    ) -> Call[Any]:
        if not prompt.messages:
            raise RequestFailed("empty_prompt", "the prompt has no messages")
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        return Call(_PATH, {"model": self.model, "messages": messages, **body}, read)


def _choice(answer: Any) -> tuple[ChatChoice, int, int]:
    """The answer's choice, the tokens read, the tokens sampled."""
    chat = ChatCompletion.model_validate(answer)
    return chat.choices[0], chat.usage.prompt_tokens, chat.usage.completion_tokens


class ServerChat:
    """A `ChatFormat` that leaves the rendering to the server, which knows the template."""

    def __init__(self, role: str) -> None:
        self._role = role

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The conversation as it is."""
        return Prompt(None, tuple(messages))

    def render_answered(self, messages: Sequence[Message]) -> Prompt:
        """The conversation as it is."""
        return Prompt(None, tuple(messages))

    def user_turn_prefix(
        self,
        *,
        system: str | None = None,
        keep_default_system: bool = True,
        history: Sequence[Message] = (),
    ) -> Prompt:
        """Impossible.

        Raises:
            InputError: always.
        """
        raise self._no_raw_prompts()

    @property
    def user_stop(self) -> Stop:
        """Impossible.

        Raises:
            InputError: always.
        """
        raise self._no_raw_prompts()

    def _no_raw_prompts(self) -> InputError:
        return InputError(
            f"model `{self._role}`: a chat endpoint renders conversations itself, and Magpie "
            "needs raw prompts; set the model's `tokenizer` (hub id or folder), so that its chat "
            "template is known here, and leave `api` at `auto` or set it to `completions`"
        )
