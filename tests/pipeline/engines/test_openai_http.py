"""Retries of the HTTP client: what is repeated, how long it waits, and what is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.engines.openai_answers import ServedModels
from pipeline.engines.openai_http import MAX_WAIT_S, Call, RequestFailed, Server, Transport
from schemas.errors import EngineDied, EngineUnavailable
from tests.pipeline.engines.fault_server import FaultServer, Plan, models

KEY = "sk-very-secret"
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def ask(
    base_url: str, *, retries: int = 3, timeout_s: float = 10.0, waits: list[float] | None = None
) -> ServedModels:
    """GET /models once, writing down the pauses instead of making them."""
    paused: list[float] = [] if waits is None else waits

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    async def run() -> ServedModels:
        transport = Transport(
            Server(base_url, KEY, timeout_s, retries, 4), sleep=sleep, now=lambda: NOW
        )
        try:
            return await transport.ask(Call("/models", None, ServedModels.model_validate))
        finally:
            await transport.close()

    return asyncio.run(run())


def failure(server: FaultServer, **options: Any) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        ask(server.base_url, **options)
    return caught.value


PASSING = [
    Plan(408),
    Plan(409),
    Plan(425),
    Plan(429),
    Plan(500, "oops"),
    Plan(503),
    Plan(body='{"data": [', content_type="application/json"),
    Plan(body="<html>sign in</html>", content_type="text/html"),
    Plan(body={"no": "data"}),
    Plan(body=models("m"), cut_after=5),
]


@pytest.mark.parametrize("trouble", PASSING, ids=lambda plan: f"{plan.status} {plan.body!s:.12}")
def test_trouble_that_may_pass_is_retried(server: FaultServer, trouble: Plan) -> None:
    server.plan("/models", trouble, trouble)
    waits: list[float] = []
    assert ask(server.base_url, waits=waits).data[0].id == "m"
    assert len(server.asked) == 3
    # Exponential from half a second, with up to half a second of jitter.
    assert 0.5 <= waits[0] <= 1.0
    assert 1.0 <= waits[1] <= 1.5


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Plan(429), "rate_limit"),
        (Plan(408), "timeout"),
        (Plan(502, "bad gateway"), "server"),
        (Plan(body="<html>sign in</html>", content_type="text/html"), "malformed"),
        (Plan(body=models("m"), cut_after=5), "connection"),
    ],
)
def test_what_does_not_pass_fails_with_its_kind(
    server: FaultServer, trouble: Plan, kind: str
) -> None:
    server.plan("/models", *[trouble] * 3)
    assert failure(server, retries=2).kind == kind
    assert len(server.asked) == 3


def test_the_raw_answer_is_kept(server: FaultServer) -> None:
    server.plan("/models", Plan(body="<html>sign in</html>", content_type="text/html"))
    failed = failure(server, retries=0)
    assert failed.raw == "<html>sign in</html>"
    assert "text/html" in failed.message


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "This model's maximum context length is 1024 tokens.", "context_length"),
        (400, '{"code": "context_length_exceeded"}', "context_length"),
        (400, "The decoder prompt (length 9) is longer than the maximum model length of 8", None),
        (400, "n must be at least 1", "bad_request"),
        (422, "unknown field", "bad_request"),
        (307, "", "bad_request"),
    ],
)
def test_a_refused_request_is_not_repeated(
    server: FaultServer, status: int, message: str, kind: str | None
) -> None:
    server.plan("/models", Plan(status, message))
    assert failure(server).kind == (kind or "context_length")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_is_true_of_every_request_raises(server: FaultServer, status: int) -> None:
    server.plan("/models", Plan(status, f"you sent {KEY}"))
    with pytest.raises(EngineUnavailable, match=str(status)) as caught:
        ask(server.base_url)
    assert KEY not in str(caught.value)
    assert "you sent ***" in str(caught.value)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_silence_is_a_timeout(server: FaultServer) -> None:
    server.plan("/models", Plan(hang=True), Plan(hang=True))
    assert failure(server, retries=1, timeout_s=0.05).kind == "timeout"
    assert len(server.asked) == 2


def test_nobody_listening_is_a_dead_engine(server: FaultServer) -> None:
    url = server.base_url
    server.stop()
    waits: list[float] = []
    with pytest.raises(EngineDied, match="after 2 retries"):
        ask(url, retries=2, waits=waits)
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("header", "value", "wait_s"),
    [
        ("Retry-After", "17", 17.0),
        ("Retry-After", "Tue, 14 Nov 2023 22:13:45 GMT", 25.0),
        ("retry-after-ms", "4500", 4.5),
        ("Retry-After", "86400", MAX_WAIT_S),
    ],
)
def test_the_server_says_how_long_to_wait(
    server: FaultServer, header: str, value: str, wait_s: float
) -> None:
    server.plan("/models", Plan(429, headers=((header, value),)))
    waits: list[float] = []
    ask(server.base_url, waits=waits)
    assert waits == [wait_s]


@pytest.mark.parametrize("value", ["soon", "-5", "Tue, 14 Nov 2023 22:13:00 GMT", "nan"])
def test_a_useless_wish_leaves_the_backoff(server: FaultServer, value: str) -> None:
    server.plan("/models", Plan(503, headers=(("Retry-After", value),)))
    waits: list[float] = []
    ask(server.base_url, waits=waits)
    assert 0.5 <= waits[0] <= 1.0


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(Server("http://x/v1", KEY, 1.0, 0, 1))
