"""What a peer's work cost, from a warm start to its result, as a last line of JSON."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Print CPU seconds (all threads, and children that have ended), wall seconds, peak MB.

    What is put into the dictionary is printed with them.
    """
    said: dict[str, Any] = {}
    cpu, wall = _cpu_s(), time.perf_counter()
    yield said
    said |= {"cpu_s": _cpu_s() - cpu, "wall_s": time.perf_counter() - wall, "peak_mb": _peak_mb()}
    print(json.dumps(said), flush=True)


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _cpu_s() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def _peak_mb() -> float:
    """Of the largest process."""
    return max(usage.ru_maxrss for usage in _usages()) / 1024
