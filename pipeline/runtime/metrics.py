"""A run's counts for Prometheus, while it lasts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pipeline.runtime.tally import StepTally, Tally
from schemas.errors import InputError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

_LOOPBACK = "127.0.0.1"
_LAST_PORT = 65535

_BY_STEP: dict[str, tuple[str, Callable[[StepTally], int]]] = {
    "prefmill_rows_in": ("rows that committed parts took in", lambda step: step.rows_in),
    "prefmill_rows_out": ("rows that committed parts gave out", lambda step: step.rows_out),
    "prefmill_rejects": ("rejections, of single answers, too", lambda step: step.rejects),
    "prefmill_parts_done": ("parts committed", lambda step: step.parts_done),
    "prefmill_parts_lost": ("parts whose worker or engine died", lambda step: step.parts_lost),
    "prefmill_requests": ("requests that models served", lambda step: step.told_requests),
    "prefmill_sampled_tokens": ("tokens sampled", lambda step: step.told_tokens),
}
"""Counters with the label `step`; they count this run, not those that it goes on from."""


class RunCollector:
    """A Prometheus collector that reads a tally when it is asked."""

    def __init__(self, tally: Tally, repeated_tokens: Callable[[], int]) -> None:
        self._tally = tally
        self._repeated_tokens = repeated_tokens

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they are now."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        steps = self._tally.steps
        for name, (doc, count) in _BY_STEP.items():
            counter = CounterMetricFamily(name, doc, labels=["step"])
            for step in steps:
                counter.add_metric([step.name], count(step))
            yield counter
        parts = GaugeMetricFamily("prefmill_parts", "parts of a step, in all", labels=["step"])
        for step in steps:
            parts.add_metric([step.name], step.parts)
        yield parts
        yield GaugeMetricFamily("prefmill_workers", "live workers", value=self._tally.live)
        yield CounterMetricFamily(
            "prefmill_repeated_tokens",
            "tokens sampled for parts that were then lost",
            value=self._repeated_tokens(),
        )


class MetricsServer:
    """Serves metrics over HTTP until it is closed.

    Attributes:
        url: where.
    """

    def __init__(self, collector: RunCollector, address: str) -> None:
        """Begin to serve.

        Args:
            address: `PORT` for this machine only, or `HOST:PORT`; port 0 is any that is free.

        Raises:
            InputError: no such address, it is in use, or the package for it is not installed.
        """
        host, port = _parse(address)
        registry = _registry()
        registry.register(collector)
        from prometheus_client import start_http_server

        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise InputError(
                f"--metrics {address}: {error.strerror}. Choose another port, or an address that "
                "this machine has."
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _registry() -> CollectorRegistry:
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise InputError(
            "--metrics needs the package `prometheus-client`, which is not installed: "
            'pip install "prefmill[metrics]"'
        ) from error
    return CollectorRegistry()


def _parse(address: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?:(.+):)?(\d{1,5})", address)
    if match is None or int(match[2]) > _LAST_PORT:
        raise InputError(
            f"--metrics {address}: neither a port (0 to {_LAST_PORT}) nor HOST:PORT; "
            "write e.g. 9464, or 0.0.0.0:9464 to be reached from other machines"
        )
    return (match[1] or _LOOPBACK).strip("[]"), int(match[2])
