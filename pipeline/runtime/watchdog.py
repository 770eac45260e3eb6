"""Notices an engine that hangs, and ends the worker that it hangs in.

An engine that is stuck in native code cannot be stopped from Python, so its process is killed:
the parts in hand are done again by another one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from pipeline.engines.base import ModelSpec, ProgressHook, no_progress

_CALLER: ContextVar[ProgressHook] = ContextVar("caller", default=no_progress)
"""Who made the call that progress belongs to. Engines that serve a call in another thread carry
the context over, or report from the thread that called."""

_SECONDS_TO_TELL = 1.0


@dataclass
class Pulse:
    """The signs of life of an engine."""

    _waiting: dict[int, float] = field(default_factory=dict)
    _beat_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self, requests: int, tokens: int) -> None:
        """A `pipeline.engines.base.ProgressHook`: the engine got on, maybe with requests."""
        self._beat_at = time.monotonic()
        if requests or tokens:
            _CALLER.get()(requests, tokens)

    @contextmanager
    def watch(self, spec: ModelSpec, served: ProgressHook) -> Iterator[None]:
        """While entered, a call waits for the engine, and its progress goes to `served`."""
        token = _CALLER.set(served)
        with self._lock:
            self._beat_at = time.monotonic()
            if spec.engine != "openai":  # there each request has a time limit of its own
                self._waiting[id(token)] = spec.placement.hang_timeout_s
        try:
            yield
        finally:
            _CALLER.reset(token)
            with self._lock:
                self._waiting.pop(id(token), None)

    def hangs(self, now: float) -> bool:
        """Whether a call waits and there was no sign of life for too long."""
        with self._lock:
            limit = min(self._waiting.values(), default=None)
        return limit is not None and now - self._beat_at > limit


def guard(pulse: Pulse, warn: Callable[[], None], every_s: float = 1.0) -> None:
    """Start a thread that ends this process once its engine hangs, after calling `warn`."""

    def watch() -> None:
        while not pulse.hangs(time.monotonic()):
            time.sleep(every_s)
        warn()
        time.sleep(_SECONDS_TO_TELL)  # for the message to leave this process
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
