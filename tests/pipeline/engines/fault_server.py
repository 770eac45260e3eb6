"""A server on loopback that answers, fails, hangs and cuts connections as told.

A test queues plans; each request to a path takes the next plan of that path, and the default
answer when there is none. What was asked is kept for assertions.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What happens to one request.

    Attributes:
        status: of the answer.
        body: the answer; text is sent as it is.
        headers: beside Content-Type.
        content_type: of the answer.
        cut_after: close the connection after so many bytes of the body.
        hang: keep silent until the server stops.
    """

    status: int = 200
    body: Json | str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    cut_after: int | None = None
    hang: bool = False


def models(*names: str, owned_by: str = "someone") -> Json:
    return {"data": [{"id": name, "owned_by": owned_by} for name in names]}


def completion(body: Json, text: str = " ok", **choice: Any) -> Json:
    """A well-formed answer of /v1/completions: every token has a log-probability of -0.5."""
    prompt = body["prompt"]
    n_echoed = len(prompt) if body.get("echo") else 0
    values = [None, *[-0.5] * n_echoed] if n_echoed else [-0.5]
    logprobs = {"token_logprobs": values, "top_logprobs": [{" ok": -0.5}]}
    answer = {"index": 0, "text": text, "finish_reason": "length", "logprobs": logprobs} | choice
    usage = {"prompt_tokens": len(prompt), "completion_tokens": 1}
    return {"choices": [answer], "usage": usage}


def chat(body: Json, text: str | None = "ok", **choice: Any) -> Json:
    """A well-formed answer of /v1/chat/completions."""
    answer = {"index": 0, "message": {"content": text}, "finish_reason": "stop"} | choice
    return {"choices": [answer], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


def embeddings(body: Json, *vector: float) -> Json:
    """A well-formed answer of /v1/embeddings: the number of the text's letters, and one."""
    found = list(vector) or [float(len(body["input"])), 1.0]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"data": [{"index": 0, "embedding": found}], "usage": usage}


@dataclass
class FaultServer:
    """Use it as a context manager; `base_url` is valid inside."""

    answers: dict[str, Callable[[Json], Json | Plan]] = field(
        default_factory=lambda: {
            "/v1/models": lambda body: models("m"),
            "/v1/completions": completion,
            "/v1/chat/completions": chat,
            "/v1/embeddings": embeddings,
        }
    )
    asked: list[tuple[str, Json]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    max_in_flight: int = 0
    _plans: defaultdict[str, deque[Plan]] = field(default_factory=lambda: defaultdict(deque))
    _in_flight: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def plan(self, path: str, *plans: Plan) -> None:
        """What the next requests to `/v1<path>` meet."""
        self._plans[f"/v1{path}"].extend(plans)

    def bodies(self, path: str) -> list[Json]:
        """What was sent to `/v1<path>`."""
        return [body for where, body in self.asked if where == f"/v1{path}"]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> FaultServer:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        # So that the end of the test waits for handler threads, and none outlives it.
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening; afterwards connections are refused."""
        self._stop.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def next_answer(self, path: str, body: Json, headers: dict[str, str]) -> Plan:
        with self._lock:
            self.asked.append((path, body))
            self.headers.append(headers)
            if self._plans[path]:
                return self._plans[path].popleft()
        answer = self.answers[path](body) if path in self.answers else Plan(404, "not here")
        return answer if isinstance(answer, Plan) else Plan(body=answer)

    def count(self, change: int) -> None:
        with self._lock:
            self._in_flight += change
            self.max_in_flight = max(self.max_in_flight, self._in_flight)

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve({})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self._serve(json.loads(self.rfile.read(length)))

            def _serve(self, body: Json) -> None:
                server.count(1)
                try:
                    self._send(server.next_answer(self.path, body, dict(self.headers)))
                finally:
                    server.count(-1)

            def _send(self, plan: Plan) -> None:
                if plan.hang:
                    server._stop.wait()
                    return
                text = plan.body if isinstance(plan.body, str) else json.dumps(plan.body)
                data = text.encode()
                self.send_response(plan.status)
                self.send_header("Content-Type", plan.content_type)
                self.send_header("Content-Length", str(len(data)))
                for name, value in plan.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data[: plan.cut_after])

            def log_message(self, *parts: Any) -> None:
                pass

        return Handler
