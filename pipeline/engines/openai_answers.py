"""What an OpenAI-compatible server sends back; anything else is a malformed answer.

Every request asks for one choice, so every answer has exactly one, with index 0.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, FiniteFloat


class Usage(BaseModel):
    """Token counts, as the server read and wrote them."""

    prompt_tokens: int
    completion_tokens: int = 0


class TokenLogprobs(BaseModel):
    """Log-probabilities in /v1/completions: parallel lists; no value for a first token."""

    token_logprobs: list[FiniteFloat | None]
    top_logprobs: list[dict[str, FiniteFloat] | None] | None = None


class PromptLogprob(BaseModel):
    """One entry of vLLM's `prompt_logprobs`."""

    logprob: FiniteFloat


class TextChoice(BaseModel):
    """A choice in /v1/completions."""

    index: Literal[0]
    text: str
    finish_reason: str | None = None
    logprobs: TokenLogprobs | None = None
    prompt_logprobs: list[dict[str, PromptLogprob] | None] | None = None


class Completion(BaseModel):
    """An answer of /v1/completions."""

    choices: tuple[TextChoice]
    usage: Usage


class ChatToken(BaseModel):
    """A token and its log-probability."""

    token: str
    logprob: FiniteFloat


class ChatStep(BaseModel):
    """One sampled token with what else could have been sampled."""

    top_logprobs: list[ChatToken]


class ChatLogprobs(BaseModel):
    """Log-probabilities in /v1/chat/completions."""

    content: list[ChatStep] | None = None


class ChatMessage(BaseModel):
    """The assistant's turn."""

    content: str | None = None


class ChatChoice(BaseModel):
    """A choice in /v1/chat/completions."""

    index: Literal[0]
    message: ChatMessage
    finish_reason: str | None = None
    logprobs: ChatLogprobs | None = None


class ChatCompletion(BaseModel):
    """An answer of /v1/chat/completions."""

    choices: tuple[ChatChoice]
    usage: Usage


class ServedModel(BaseModel):
    """A model that the server has."""

    id: str
    owned_by: str = ""


class ServedModels(BaseModel):
    """An answer of /v1/models."""

    data: list[ServedModel]


class EmbeddingData(BaseModel):
    """The vector of the one text that a request has."""

    index: Literal[0]
    embedding: list[FiniteFloat] = Field(min_length=1)


class EmbeddingAnswer(BaseModel):
    """An answer of /v1/embeddings."""

    data: tuple[EmbeddingData]
    usage: Usage
