"""A hub on loopback, with the endpoints that huggingface_hub 2.4 and datasets 5.2 call.

Written from what the clients send and expect. It knows LFS and not Xet: start clients with
`Hub.env`, or make this process one by `Hub.use`; both switch Xet off. The fixture `hub` is in
`tests/conftest.py`:

    def test_a_push_that_is_told_to_wait(hub, tmp_path):
        hub.fail(next="commit", status=429, retry_after=0)
        subprocess.run([...], env=hub.env(tmp_path / "home"))
        assert hub.repo("me/data").files["README.md"]

Names of calls: create, branch, preupload, batch, upload, verify, commit, tag, info, tree, refs,
paths, resolve, yaml, whoami.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from tests.hub_routes import Refused, routes
from tests.hub_store import Repo

TOKEN = "hf_ThisTokenMustNeverBeSeenAnywhere"
OWNER = "me"


@dataclass
class Fault:
    """What goes wrong with the next calls of a kind.

    Attributes:
        status: answer so, in place of doing it.
        cut: close the connection in the middle of the request.
        lose: do it, and close the connection in place of an answer.
        before: called, in a thread, before the call is served.
        hold: the call waits for `Hub.release`, and is then not served but cut.
    """

    call: str
    times: int
    status: int | None = None
    retry_after: int | None = None
    cut: bool = False
    lose: bool = False
    before: Callable[[], object] | None = None
    hold: bool = False


@dataclass
class Hub:
    """A running hub: where it is, what it holds, what was asked of it, what is to go wrong."""

    url: str = ""
    token: str = TOKEN
    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    writable: tuple[str, ...] = (OWNER, "org")

    def repo(self, name: str) -> Repo:
        """A repo of this hub, made if need be."""
        return self.repos.setdefault(name, Repo(name))

    def fail(
        self,
        *,
        next: str,
        times: int = 1,
        status: int | None = None,
        retry_after: int | None = None,
        cut: bool = False,
        lose: bool = False,
        before: Callable[[], object] | None = None,
        hold: bool = False,
    ) -> None:
        """Let the next `times` calls named `next` go wrong in this way. See `Fault`."""
        self.faults.append(Fault(next, times, status, retry_after, cut, lose, before, hold))

    def release(self) -> None:
        """End calls that are held."""
        self.released.set()

    def env(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """The environment of a client: as ours, with this hub, and `home` for its caches."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        known = {} if token is None else {"HF_TOKEN": token}
        return {
            **ours,
            **known,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        }

    def use(self, monkeypatch: pytest.MonkeyPatch, home: Path, token: str | None = TOKEN) -> None:
        """Make this process a client. For `datasets` this comes too late: it needs `env`."""
        from huggingface_hub import constants

        for name, value in {
            "ENDPOINT": self.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_OFFLINE": False,  # other tests of this process may have set it
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN_PATH": str(home / "token"),
        }.items():
            monkeypatch.setattr(constants, name, value)
        if token is None:
            monkeypatch.delenv("HF_TOKEN", raising=False)
        else:
            monkeypatch.setenv("HF_TOKEN", token)

    def fault_of(self, call: str) -> Fault | None:
        """The fault that is due, used up by this."""
        for fault in self.faults:
            if fault.call == call and fault.times > 0:
                fault.times -= 1
                return fault
        return None


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that runs in a thread until the block ends."""
    hub, ready, stop = Hub(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with _listening(hub):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield hub
    finally:
        hub.release()
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


@asynccontextmanager
async def _listening(hub: Hub) -> AsyncIterator[None]:
    @web.middleware
    async def guard(request: web.Request, handler: Callable) -> web.StreamResponse:
        call = getattr(request.match_info.handler, "call", "")
        if not call:
            hub.unknown.append(f"{request.method} {request.path}")
            return web.json_response({"error": "no such endpoint"}, status=404)
        hub.calls.append(call)
        return await _with_faults(hub, hub.fault_of(call), request, handler)

    app = web.Application(middlewares=[guard], client_max_size=10**9)
    app.add_routes(routes(hub))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()


async def _with_faults(
    hub: Hub, fault: Fault | None, request: web.Request, handler: Callable
) -> web.StreamResponse:
    if fault is not None:
        if fault.before is not None:
            await asyncio.to_thread(fault.before)
        if fault.hold:
            await asyncio.to_thread(hub.released.wait)
        if fault.cut or fault.hold:
            await request.content.readany()
            return _hang_up(request)
        if fault.status is not None:
            await request.read()
            return _failure(fault)
    try:
        answer = await handler(request)
    except Refused as refusal:
        answer = refusal.answer()
    return _hang_up(request) if fault is not None and fault.lose else answer


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _failure(fault: Fault) -> web.Response:
    wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    said = {"error": f"told to fail with {fault.status}"}
    return web.json_response(said, status=fault.status or 500, headers=wait)
