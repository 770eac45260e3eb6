"""What a peer's work cost, from a warm start to its result, as a last line of JSON."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Print CPU seconds (all threads, and children that have ended), wall seconds, peak MB.

    What is put into the dictionary is printed with them.
    """
    said: dict[str, Any] = {}
    cpu, wall = _cpu_s(), time.perf_counter()
    yield said
    said |= {"cpu_s": _cpu_s() - cpu, "wall_s": time.perf_counter() - wall, "peak_mb": peak_mb()}
    print(json.dumps(said), flush=True)


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _cpu_s() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def peak_mb() -> float:
    """Of the largest process. Not this one's `ru_maxrss`: that knows who started it, too."""
    own = next(s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(own.split()[1]), children) / 1024
