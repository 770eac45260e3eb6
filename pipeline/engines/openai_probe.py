"""Ask a server what it can do before any row depends on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.engines.base import ModelSpec
from pipeline.engines.openai_answers import ServedModels
from pipeline.engines.openai_chat import Chat
from pipeline.engines.openai_completions import Completions, Scoring
from pipeline.engines.openai_embeddings import Embeddings
from pipeline.engines.openai_http import Call, RequestFailed, Transport
from schemas.errors import EngineDied, EngineUnavailable
from schemas.models import EmbedRequest, GenerateRequest, Message, Prompt, Sampling, ScoreRequest

_NAMES_SHOWN = 8
_HELLO = GenerateRequest(
    "probe",
    Prompt("Hello", (Message("user", "Hello"),)),
    Sampling(temperature=0.0, max_tokens=1),
    0,
)

Endpoint = Completions | Chat


async def probe(transport: Transport, spec: ModelSpec, tokenizer: Any) -> Endpoint | Embeddings:
    """Find out how to talk to the server; costs at most four requests of one token.

    Whether given text can be scored is found out here but not demanded: few servers can, and few
    recipes need it. One that does fails at its first `score`.

    Args:
        tokenizer: the model's; None means the chat endpoint, if it is no embedding model.

    Raises:
        EngineUnavailable: there is no server, not this model, or not what `spec` promises.
    """
    try:
        extended = await _is_vllm(transport, spec)
        if spec.entry.kind == "embedding":
            embeddings = Embeddings(spec.entry.model)
            await transport.ask(embeddings.embed(EmbedRequest("probe", "Hello")))
            return embeddings
        if tokenizer is None:
            chat = Chat(spec.entry.model, extended)
            await transport.ask(chat.generate(_HELLO))
            return chat
        completions = Completions(spec.entry.model, tokenizer, extended)
        await transport.ask(completions.generate(_HELLO))
        return replace(completions, scoring=await _scoring(transport, completions))
    except (RequestFailed, EngineDied, EngineUnavailable) as error:
        promised = ", ".join(sorted(spec.capabilities))
        raise EngineUnavailable(
            f"model `{spec.role}`: the server does not give what a model with `engine: openai` "
            f"needs here ({promised}): {error}"
        ) from None


async def _is_vllm(transport: Transport, spec: ModelSpec) -> bool:
    served = await transport.ask(Call("/models", None, ServedModels.model_validate))
    for model in served.data:
        if model.id == spec.entry.model:
            return model.owned_by == "vllm"
    names = ", ".join(model.id for model in served.data[:_NAMES_SHOWN]) or "nothing"
    raise EngineUnavailable(f"`{spec.entry.model}` is not served; the server has: {names}")


async def _scoring(transport: Transport, completions: Completions) -> Scoring | None:
    request = ScoreRequest("probe", Prompt("Hello"), " world")
    ways: tuple[Scoring, ...] = ("echo", "prompt_logprobs")
    for way in ways:
        try:
            await transport.ask(replace(completions, scoring=way).score(request))
        except RequestFailed:
            continue
        return way
    return None
