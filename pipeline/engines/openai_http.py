"""JSON over HTTP to an OpenAI-compatible server, retried where a retry can help.

    408 409 425 429 5xx, lost connections, timeouts,      retried, then RequestFailed
      bodies that are cut, no JSON, or of another shape
    other 4xx, and 3xx                                    RequestFailed at once
    401 403 404 405                                       EngineUnavailable: true of every request
    connection refused after all retries                  EngineDied: nobody is listening

An own client and not the `openai` package, which hands an HTML page back as if it were an answer
and lets broken JSON through as a bare JSONDecodeError, without a retry.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from schemas.errors import EngineDied, EngineUnavailable
from schemas.models import FailureKind

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]

MAX_WAIT_S = 300.0
"""A server that asks for a longer pause is asked again after this one."""

_RAW_CHARS = 2000
_LENGTH = re.compile(
    r"context.{0,12}(length|window|size)|max_model_len|maximum (model|allowed|input) length"
    r"|(prompt|input).{0,60}too long",
    re.IGNORECASE | re.DOTALL,
)


class RequestFailed(Exception):
    """One request failed; others may well succeed.

    Attributes:
        kind: as in `schemas.models.Failure`.
        message: one sentence for a person.
        raw: what the server sent.
        retry: whether the same request may succeed later.
        wait_s: how long the server wants to be left alone.
        refused: no connection could be made at all.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        raw: str = "",
        *,
        retry: bool = False,
        wait_s: float = 0.0,
        refused: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message, self.raw = message, raw
        self.retry, self.wait_s, self.refused = retry, wait_s, refused


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and how its answer is read.

    Attributes:
        path: below the base URL, e.g. `/completions`.
        body: sent as JSON with POST; None makes it a GET.
        read: makes sense of the decoded JSON; a pydantic error means a malformed answer.
    """

    path: str
    body: Mapping[str, Any] | None
    read: Callable[[Any], T]


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send requests, and how patiently.

    Attributes:
        base_url: up to and including `/v1`.
        key: goes into the Authorization header and nowhere else.
        timeout_s: for one answer, from connecting to its last byte.
        max_retries: of one request.
        max_connections: open at once.
    """

    base_url: str
    key: str | None = field(repr=False)
    timeout_s: float
    max_retries: int
    max_connections: int


class Transport:
    """An open HTTP client. Use it from one event loop only."""

    def __init__(
        self,
        server: Server,
        *,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        import httpx
        from tenacity import wait_exponential, wait_random

        headers = {"Content-Type": "application/json"}
        if server.key is not None:
            headers["Authorization"] = f"Bearer {server.key}"
        self._server = server
        self._sleep, self._now = sleep, now
        self._backoff = wait_exponential(multiplier=0.5, max=30.0) + wait_random(0.0, 0.5)
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=None,  # `_send` times the whole exchange; httpx would time each read
            limits=httpx.Limits(max_connections=server.max_connections),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def ask(self, call: Call[T]) -> T:
        """Send a request until it is answered or not worth repeating.

        Raises:
            RequestFailed: this request cannot be served.
            EngineUnavailable: the server serves no request like this, or not to us.
            EngineDied: nobody is listening.
        """
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, RequestFailed) and e.retry),
            wait=self._wait_s,
            stop=stop_after_attempt(self._server.max_retries + 1),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return await retrying(self._once, call)
        except RequestFailed as failed:
            if failed.refused:
                raise EngineDied(
                    f"{failed.message}, after {self._server.max_retries} retries; is the server "
                    "still running?"
                ) from None
            raise

    def _wait_s(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.wait_s if isinstance(failure, RequestFailed) else 0.0
        return min(max(self._backoff(state), asked), MAX_WAIT_S)

    async def _once(self, call: Call[T]) -> T:
        response = await self._send(call)
        self._check_status(response)
        try:
            return call.read(response.json())
        except RequestFailed as failed:
            failed.raw = self._raw(response)
            raise
        except ValueError as error:  # no JSON, or pydantic's
            kind = response.headers.get("content-type", "no content type")
            problem = f"an answer ({kind}) that the protocol does not know: {_first_line(error)}"
            raise RequestFailed(
                "malformed", self._said(response, problem), self._raw(response), retry=True
            ) from None

    async def _send(self, call: Call[T]) -> httpx.Response:
        import httpx

        url = self._server.base_url + call.path
        method = "GET" if call.body is None else "POST"
        # ASCII, so that a lone surrogate in a prompt is the server's to refuse, not ours to die of.
        content = None if call.body is None else json.dumps(call.body).encode("ascii")
        try:
            async with asyncio.timeout(self._server.timeout_s):
                return await self._client.request(method, url, content=content)
        except TimeoutError:
            message = f"{url} gave no answer within {self._server.timeout_s:g} s"
            raise RequestFailed("timeout", message, retry=True) from None
        except httpx.RequestError as error:
            refused = isinstance(error, httpx.ConnectError)
            problem = "cannot connect" if refused else "the connection broke"
            message = f"{url}: {problem}: {error or type(error).__name__}"
            raise RequestFailed("connection", message, retry=True, refused=refused) from None

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        raw = self._raw(response)
        message = self._said(response, raw[:300].strip() or "nothing more")
        if status in (401, 403):
            raise EngineUnavailable(f"{message}; check the key named by `api_key_env`")
        if status in (404, 405):
            raise EngineUnavailable(f"{message}; check `base_url`, `model` and `api`")
        wait_s = _asked_wait_s(response.headers, self._now())
        if status == 429:
            raise RequestFailed("rate_limit", message, raw, retry=True, wait_s=wait_s)
        if status == 408:
            raise RequestFailed("timeout", message, raw, retry=True, wait_s=wait_s)
        if status in (409, 425) or status >= 500:
            raise RequestFailed("server", message, raw, retry=True, wait_s=wait_s)
        too_long = _LENGTH.search(raw) is not None
        raise RequestFailed("context_length" if too_long else "bad_request", message, raw)

    def _said(self, response: httpx.Response, what: str) -> str:
        return f"{response.request.url} answered {response.status_code}: {what}"

    def _raw(self, response: httpx.Response) -> str:
        """The body, without the key: some servers repeat what they were sent."""
        key = self._server.key
        text = response.text.replace(key, "***") if key else response.text
        return text[:_RAW_CHARS]


def _first_line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
    return str(error).partition("\n")[0]


def _asked_wait_s(headers: Mapping[str, str], now: float) -> float:
    """Seconds that `retry-after-ms` or `Retry-After` (seconds or a date) asks for; else 0."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return 0.0
