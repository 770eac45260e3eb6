"""Runs the server of `prefmill view` until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pipeline.browse.server import make_app
from schemas.errors import InputError

if TYPE_CHECKING:
    from pipeline.browse.desk import Desk

HOST = "127.0.0.1"
_GRACE_S = 1


def open_port(port: int) -> socket.socket:
    """A socket of this machine alone; port 0 is any that is free.

    Raises:
        InputError: the port is taken, or not for us.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise InputError(
            f"--port {port}: cannot be used: {error.strerror}. Perhaps another view runs "
            "there; name another port, or 0 for any that is free."
        ) from None


def serve(desk: Desk, listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM; `ready` is told the address."""
    import uvicorn

    port = listener.getsockname()[1]
    config = uvicorn.Config(
        make_app(desk, port), log_level="error", timeout_graceful_shutdown=_GRACE_S, lifespan="off"
    )
    server = uvicorn.Server(config)
    # In a thread of its own it leaves the signals alone, which would end us before we clean up.
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="prefmill-view")
    stop = Event()
    previous = {name: signal.signal(name, _setter(stop)) for name in _SIGNALS}
    try:
        thread.start()
        ready(f"http://{HOST}:{port}/")
        while not stop.wait(0.5) and thread.is_alive():
            pass
    finally:
        server.should_exit = True
        thread.join()
        for name, handler in previous.items():
            signal.signal(name, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _setter(stop: Event) -> Callable[[int, Any], None]:
    return lambda number, frame: stop.set()
