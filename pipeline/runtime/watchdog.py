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
from itertools import count

from pipeline.engines.base import ModelSpec, ProgressHook, no_progress

_CALLER: ContextVar[ProgressHook] = ContextVar("caller", default=no_progress)
"""Who made the call that progress belongs to. Engines that serve a call in another thread carry
the context over, or report from the thread that called."""

_SECONDS_TO_TELL = 1.0


@dataclass(frozen=True, slots=True)
class _Wait:
    limit_s: float
    warn: Callable[[], None]


@dataclass
class Pulse:
    """The signs of life of an engine."""

    _waiting: dict[int, _Wait] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _beat_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self, requests: int, tokens: int) -> None:
        """A `pipeline.engines.base.ProgressHook`: the engine got on, maybe with requests."""
        self._beat_at = time.monotonic()
        if requests or tokens:
            _CALLER.get()(requests, tokens)

    @contextmanager
    def watch(
        self, spec: ModelSpec, served: ProgressHook, warn: Callable[[], None]
    ) -> Iterator[None]:
        """While entered, a call waits for the engine.

        Args:
            spec: whose engine it is.
            served: gets the call's progress.
            warn: called if the engine hangs, before this process ends.
        """
        caller, number = _CALLER.set(served), next(self._numbers)
        with self._lock:
            self._beat_at = time.monotonic()
            if spec.engine != "openai":  # there each request has a time limit of its own
                self._waiting[number] = _Wait(spec.placement.hang_timeout_s, warn)
        try:
            yield
        finally:
            _CALLER.reset(caller)
            with self._lock:
                self._waiting.pop(number, None)

    def hung(self, now: float) -> list[Callable[[], None]]:
        """Whom to warn, if calls wait and there was no sign of life for too long."""
        with self._lock:
            waiting = list(self._waiting.values())
        limit_s = min((wait.limit_s for wait in waiting), default=None)
        if limit_s is None or now - self._beat_at <= limit_s:
            return []
        return [wait.warn for wait in waiting]


_WATCHED: set[int] = set()


def watch_over(pulse: Pulse, every_s: float = 1.0) -> None:
    """Have a thread end this process once its engine hangs. Asked again, it does nothing."""
    if id(pulse) in _WATCHED:
        return
    _WATCHED.add(id(pulse))

    def watch() -> None:
        while not (warnings := pulse.hung(time.monotonic())):
            time.sleep(every_s)
        for warn in warnings:
            warn()
        time.sleep(_SECONDS_TO_TELL)  # for the messages to leave this process
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
