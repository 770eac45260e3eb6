"""Embeddings from a server."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.engines.openai_engine import EMBEDDINGS, open_openai
from schemas.errors import EngineUnavailable
from schemas.models import Embedding, EmbedRequest, Failure
from tests.pipeline.engines.fault_server import FaultServer, Plan, embeddings
from tests.pipeline.engines.test_openai_engine import no_sleep, resolved

ENTRY = {"kind": "embedding"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def embed(server: FaultServer, *texts: str) -> list[Embedding | Failure]:
    spec = resolved(server.base_url, entry=ENTRY, max_num_seqs=2, max_retries=1)
    loaded = open_openai(spec, lambda n, t: None, sleep=no_sleep)
    try:
        return loaded.embedder.embed([EmbedRequest(f"r{i}", text) for i, text in enumerate(texts)])
    finally:
        loaded.model.close()


def test_it_is_resolved_without_a_tokenizer() -> None:
    spec = resolved("http://host/v1", entry=ENTRY)
    assert spec.capabilities == EMBEDDINGS
    text = resolved("http://host/v1")
    assert spec.fingerprint != text.fingerprint


def test_one_vector_a_text_in_their_order(server: FaultServer) -> None:
    results = embed(server, "a", "bcd", "ef")
    assert results == [Embedding(f"r{i}", array("f", [n, 1]), 3) for i, n in enumerate((1, 3, 2))]
    probe, *sent = server.bodies("/embeddings")
    assert probe["input"] == "Hello"
    assert sorted(body["input"] for body in sent) == ["a", "bcd", "ef"]
    assert sent[0] | {"input": ""} == {"model": "m", "input": "", "encoding_format": "float"}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [], "usage": {"prompt_tokens": 1}},
        {"data": [{"index": 0, "embedding": []}], "usage": {"prompt_tokens": 1}},
        {"data": [{"index": 0, "embedding": [1.0, None]}], "usage": {"prompt_tokens": 1}},
        {"data": [{"index": 0, "embedding": "AACAPw=="}], "usage": {"prompt_tokens": 1}},
    ],
)
def test_an_answer_that_is_none(server: FaultServer, answer: Any) -> None:
    ok = Plan(body=embeddings({"input": "Hello"}))
    server.plan("/embeddings", ok, Plan(body=answer), Plan(body=answer))
    (result,) = embed(server, "a")
    assert isinstance(result, Failure) and result.kind == "malformed"


def test_a_text_that_is_too_long_fails_alone(server: FaultServer) -> None:
    ok = Plan(body=embeddings({"input": "Hello"}))
    too_long = Plan(400, "This model's maximum context length is 8 tokens")
    server.plan("/embeddings", ok, too_long)
    (result,) = embed(server, "a")
    assert isinstance(result, Failure) and result.kind == "context_length"


def test_a_server_without_embeddings_is_found_out_before_any_row(server: FaultServer) -> None:
    server.plan("/embeddings", Plan(404, "not here"))
    with pytest.raises(EngineUnavailable, match=r"needs here \(embed\)"):
        embed(server, "a")
