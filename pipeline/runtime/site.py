"""What an executor knows of the Dask cluster that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.runtime.worker_setup import Probe


@dataclass(frozen=True, slots=True)
class Site:
    """A Dask cluster to run on.

    Attributes:
        client: connected to the scheduler.
        name: what messages call it.
        advice: how to get workers of a group, for a user who misses them.
        close: disconnects, and stops what was started for this run.
        probe: what workers of unknown origin must pass; None for our own.
        lasting: its workers go on without us.
        queued: its workers come when a batch system has room, however late.
        dashboard_link: where Dask shows its work.
    """

    client: Any
    name: str
    advice: Callable[[str], str]
    close: Callable[[], None]
    probe: Probe | None = None
    lasting: bool = False
    queued: bool = False
    dashboard_link: str | None = None
