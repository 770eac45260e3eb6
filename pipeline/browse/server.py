"""The web server of `prefmill view`: for this machine alone, and for the page that it serves alone.

    GET  /                the page; /browser.js, /view.js, /browser.css, /view.css
    GET  /api/start       title, configs, splits, sources; with --annotate a token and the progress
    GET  /api/rows        a page of rows
    GET  /api/row         one in full
    GET  /api/judgements  what the judges said of one
    GET  /api/offset      where one stands
    POST /api/marks       a mark, with the token

A page of another site may send requests here but must not read or change anything: requests under
another name than this machine's are refused (DNS rebinding), and so are those that another site
made. Rows may say anything, so the page runs no script but ours.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from pipeline.browse.assets import asset, browser_css, browser_js
from pipeline.browse.desk import Desk
from schemas.errors import PrefmillError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    Endpoint = Callable[[Request], Awaitable[Response]]

TOKEN_HEADER = "x-prefmill-token"
_MOST_BODY = 64 * 1024
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_app(desk: Desk, port: int) -> Starlette:
    """The application that answers at a port of this machine."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    token = secrets.token_urlsafe(32)
    routes = [
        *(Route(path, _file(*file)) for path, file in _files().items()),
        Route("/api/start", _answer(lambda asked: _start(desk, token))),
        Route("/api/rows", _answer(desk.rows)),
        Route("/api/row", _answer(lambda asked: desk.row(*_row_of(asked)))),
        Route("/api/judgements", _answer(lambda asked: desk.judgements(*_row_of(asked)))),
        Route("/api/offset", _answer(lambda asked: desk.offset(*_row_of(asked), asked))),
        Route("/api/marks", _marks(desk, token), methods=["POST"]),
    ]
    hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    app = Starlette(routes=routes)
    app.add_middleware(_Guard, hosts=hosts)
    return app


def _files() -> dict[str, tuple[str, str]]:
    """What is served as it is: text and type."""
    return {
        "/": (asset("page.html"), "text/html"),
        "/browser.js": (browser_js(), "text/javascript"),
        "/view.js": (asset("view.js"), "text/javascript"),
        "/browser.css": (browser_css(), "text/css"),
        "/view.css": (asset("view.css"), "text/css"),
    }


def _start(desk: Desk, token: str) -> dict[str, Any]:
    if desk.labels is None:
        return desk.start()
    return {**desk.start(), "marking": {"token": token, "progress": desk.labels.progress()}}


def _row_of(asked: Any) -> tuple[str, str]:
    return asked.get("inConfig", ""), asked.get("id", "")


def _file(text: str, kind: str) -> Endpoint:
    from starlette.responses import Response

    async def endpoint(request: Request) -> Response:
        return Response(text, media_type=kind)

    return endpoint


def _answer(answer: Callable[[Any], Any]) -> Endpoint:
    """An endpoint that answers in a thread, since files and the database are waited for."""
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_told, lambda: answer(request.query_params))

    return endpoint


def _marks(desk: Desk, token: str) -> Endpoint:
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: Request) -> Response:
        given = request.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            return _refusal(403, "the token is wrong; load the page again")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY:
                return _refusal(413, f"more than {_MOST_BODY:,} bytes")
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return _refusal(400, "not a JSON object")
        return await run_in_threadpool(_told, lambda: desk.mark(said))

    return endpoint


def _told(answer: Callable[[], Any]) -> Response:
    """The answer as JSON; what went wrong as one sentence."""
    from starlette.responses import Response

    try:
        # ASCII, since texts may hold halves of characters that no encoding has.
        content = json.dumps(answer(), allow_nan=False)
    except PrefmillError as error:
        return _refusal(400, str(error))
    except OSError as error:
        return _refusal(500, f"the dataset cannot be read: {error}")
    return Response(content, media_type="application/json")


def _refusal(status: int, why: str) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": why}, status)


class _Guard:
    """Middleware that refuses whom this is not for, and sets the headers of all answers."""

    def __init__(self, app: Any, hosts: set[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        why = _foreign(Request(scope), self._hosts) if scope["type"] == "http" else ""
        answer = _refusal(403, why) if why else self._app
        await answer(scope, receive, send_with_headers)


def _foreign(request: Request, hosts: set[str]) -> str:
    """Why a request is none of our page's; empty if it is."""
    host = request.headers.get("host", "").lower()
    if host not in hosts:
        return "this server answers to the name of this machine only"
    if request.url.path.startswith("/api/"):
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "this was asked by another site"
        if request.headers.get("origin", f"http://{host}") != f"http://{host}":
            return "this was asked by another site"
    return ""
