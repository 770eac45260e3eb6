"""Any OpenAI-compatible server as a model: a synchronous call outside, asyncio inside.

With a `tokenizer` the model is asked through /v1/completions, by token ids, and can do whatever a
local model can. Without one only the server knows the chat template, so it is asked through
/v1/chat/completions, and raw prompts (Magpie) cannot be had. Embedding models are asked through
/v1/embeddings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook
from pipeline.engines.locate import locate
from pipeline.engines.loop_thread import LoopThread
from pipeline.engines.openai_chat import ServerChat
from pipeline.engines.openai_embeddings import Embeddings
from pipeline.engines.openai_http import Call, RequestFailed, Server, Sleep, Transport
from pipeline.engines.openai_probe import Endpoint, probe
from pipeline.engines.tokenizer import chat_format, tokenizer_of
from schemas.errors import EngineUnavailable, InputError
from schemas.ids import digest
from schemas.models import (
    Capability,
    ChatFormat,
    Embedding,
    EmbedRequest,
    Failure,
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Score,
    ScoreRequest,
)
from schemas.recipe import ModelEntry, ModelPlacement

CHAT: frozenset[Capability] = frozenset(("generate", "seed", "label_probs", "structured"))
COMPLETIONS: frozenset[Capability] = CHAT | {"raw_prompt", "logprobs", "score"}
EMBEDDINGS: frozenset[Capability] = frozenset(("embed",))

Q = TypeVar("Q", GenerateRequest, ScoreRequest, LabelRequest, EmbedRequest)
R = TypeVar("R", Generation, Score, LabelProbs, Embedding)


class OpenAIModel:
    """A `Model` over HTTP, with at most `max_num_seqs` requests in flight from all threads."""

    def __init__(
        self, spec: ModelSpec, transport: Transport, runner: LoopThread, progress: ProgressHook
    ) -> None:
        self.fingerprint = spec.fingerprint
        self.capabilities = spec.capabilities
        self._model = spec.entry.model
        self._max_in_flight = spec.placement.max_num_seqs
        self._slots = asyncio.Semaphore(self._max_in_flight)
        self._transport = transport
        self._runner = runner
        self._progress = progress
        self._closed = False

    def close(self) -> None:
        """Close the connections."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._transport.close())
            self._runner.close()

    async def _all(
        self, requests: Sequence[Q], call_for: Callable[[Q], Call[R]]
    ) -> list[R | Failure]:
        results: dict[int, R | Failure] = {}
        waiting = iter(enumerate(requests))

        async def work() -> None:
            for index, request in waiting:
                results[index] = await self._one(request, call_for)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._max_in_flight, len(requests))):
                    group.create_task(work())
        except ExceptionGroup as errors:
            # What is not a Failure is true of the whole server: the first one speaks for all.
            raise errors.exceptions[0] from None
        return [results[index] for index in range(len(requests))]

    async def _one(self, request: Q, call_for: Callable[[Q], Call[R]]) -> R | Failure:
        result: R | Failure
        try:
            async with self._slots:
                result = await self._transport.ask(call_for(request))
        except RequestFailed as failed:
            result = Failure(request.request_id, failed.kind, failed.message, failed.raw)
        self._progress(1, result.n_tokens if isinstance(result, Generation) else 0)
        return result


class OpenAIGenerator(OpenAIModel):
    """A `schemas.models.Generator` over HTTP."""

    def __init__(
        self,
        spec: ModelSpec,
        transport: Transport,
        endpoint: Endpoint,
        runner: LoopThread,
        progress: ProgressHook,
    ) -> None:
        super().__init__(spec, transport, runner, progress)
        self._endpoint = endpoint

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """Sample one answer per request."""
        return self._runner.run(self._all(requests, self._endpoint.generate))

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """Return log p(completion | prompt) per request.

        Raises:
            EngineUnavailable: the server cannot do it.
        """
        return self._runner.run(self._all(requests, self._endpoint.score))

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """Return the next-token probability of each label per request."""
        return self._runner.run(self._all(requests, self._endpoint.label_probs))


class OpenAIEmbedder(OpenAIModel):
    """A `schemas.models.Embedder` over HTTP."""

    def embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        """Return the vector of each text."""
        return self._runner.run(self._all(requests, Embeddings(self._model).embed))


def resolve_openai(
    role: str, entry: ModelEntry, placement: ModelPlacement, base: Path
) -> ModelSpec:
    """Settle what will be asked of the server, without asking it.

    Raises:
        InputError: the placement names no usable server, or `completions` lacks a tokenizer, or
            there is no such tokenizer.
    """
    _check_url(role, placement.base_url)
    if entry.kind == "embedding":
        return _resolved_embedder(role, entry, placement)
    if entry.api == "completions" and entry.tokenizer is None:
        raise InputError(
            f"model `{role}`: `api: completions` needs `tokenizer` (hub id or folder): raw "
            "prompts are rendered here, with its chat template"
        )
    is_chat = entry.api == "chat" or entry.tokenizer is None
    tokenizer = None if is_chat else locate(entry.tokenizer or "", None, base)
    identity = digest(
        "openai",
        entry.model,
        entry.revision or "",
        "chat" if is_chat else "completions",
        tokenizer.fingerprint if tokenizer else "",
        entry.chat_template or "",
    )
    return ModelSpec(
        role=role,
        entry=entry,
        placement=placement,
        engine="openai",
        path=entry.model,
        revision=None,
        capabilities=CHAT if is_chat else COMPLETIONS,
        fingerprint=f"openai-{identity}",
        tokenizer_path=tokenizer.path if tokenizer else "",
        tokenizer_revision=tokenizer.revision if tokenizer else None,
        continuous=True,
    )


def _resolved_embedder(role: str, entry: ModelEntry, placement: ModelPlacement) -> ModelSpec:
    identity = digest("openai", entry.model, entry.revision or "", "embeddings")
    return ModelSpec(
        role=role,
        entry=entry,
        placement=placement,
        engine="openai",
        path=entry.model,
        revision=None,
        capabilities=EMBEDDINGS,
        fingerprint=f"openai-{identity}",
        continuous=True,
    )


def open_openai(
    spec: ModelSpec, progress: ProgressHook, *, sleep: Sleep = asyncio.sleep
) -> LoadedModel:
    """Connect, and check that the server gives what the spec promises.

    Args:
        sleep: waits between retries; tests replace it.

    Raises:
        EngineUnavailable: it does not, or there is no server, or no key.
    """
    placement = spec.placement
    server = Server(
        base_url=(placement.base_url or "").rstrip("/"),
        key=_key(spec),
        timeout_s=placement.timeout_s,
        max_retries=placement.max_retries,
        max_connections=placement.max_num_seqs,
    )
    tokenizer, chat = _read_tokenizer(spec)
    runner = LoopThread()
    transport = Transport(server, sleep=sleep)
    try:
        endpoint = runner.run(probe(transport, spec, tokenizer))
    except BaseException:
        runner.run(transport.close())
        runner.close()
        raise
    if isinstance(endpoint, Embeddings):
        return LoadedModel(spec, OpenAIEmbedder(spec, transport, runner, progress), chat)
    return LoadedModel(spec, OpenAIGenerator(spec, transport, endpoint, runner, progress), chat)


def _read_tokenizer(spec: ModelSpec) -> tuple[Any, ChatFormat]:
    if "raw_prompt" not in spec.capabilities:
        return None, ServerChat(spec.role)
    tokenizer = tokenizer_of(spec)
    return tokenizer, chat_format(spec, tokenizer)


def _check_url(role: str, base_url: str | None) -> None:
    where = f"`placement: {{models: {{{role}: {{base_url: ...}}}}}}`"
    wanted = f"set {where} to the server's address up to `/v1`, e.g. http://127.0.0.1:8000/v1"
    if base_url is None:
        raise InputError(f"model `{role}`: `engine: openai` needs a server; {wanted}")
    url = urlsplit(base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise InputError(f"model `{role}`: base_url {base_url!r} is no http(s) address; {wanted}")
    if url.username or url.password or url.query:
        raise InputError(
            f"model `{role}`: base_url holds a password or a query, and recipes are published; "
            "put the key into an environment variable and name that in `api_key_env`"
        )


def _key(spec: ModelSpec) -> str | None:
    name = spec.placement.api_key_env
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise EngineUnavailable(
            f"model `{spec.role}`: the environment variable {name} (`api_key_env`) is not set"
        )
    if not (key.isascii() and key.isprintable()):
        raise EngineUnavailable(
            f"model `{spec.role}`: the key in {name} (`api_key_env`) has characters that an HTTP "
            "header cannot carry"
        )
    return key
