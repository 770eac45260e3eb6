"""Runs commands on given cores, in turn, and tells what they cost."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "curation_peers"
PART_ROWS = 300
"""Of files with a few thousand rows, so that each core has some parts."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and its children cost.

    Attributes:
        said: the JSON object of its last line, if it is one: what it measured itself.
    """

    cpu_s: float
    wall_s: float
    said: dict[str, Any]

    @property
    def peak_mb(self) -> float:
        """Resident memory of the largest process, where they tell it."""
        return float(self.said.get("peak_mb", 0.0))

    @property
    def work_s(self) -> float:
        """CPU seconds of the work itself, where the process tells them; else of all of it."""
        return float(self.said.get("cpu_s", self.cpu_s))


def run_pinned(
    command: Sequence[str], cores: Sequence[int], more: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end, without what it prints; standard error stays.

    Raises:
        RuntimeError: it failed.
    """
    threads = str(len(cores))
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    here = {"PYTHONPATH": str(ROOT)}
    given = os.environ | dict.fromkeys(names, threads) | here | dict(more or {})
    pinned = ["taskset", "-c", ",".join(map(str, cores)), *command]
    started = time.perf_counter()
    process = subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True, env=given)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        print(*lines, sep="\n", file=sys.stderr)
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, _last(lines))


def _last(lines: list[str]) -> dict[str, Any]:
    try:
        said = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def in_turn(
    runs: Mapping[str, Callable[[], Cost]], repeats: int, limit_s: float = 600.0
) -> dict[str, list[Cost]]:
    """Each run `repeats` times, A B A B ...; one that takes longer than `limit_s` only once.

    A run that fails is left out, with a word.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    out: set[str] = set()
    for _ in range(repeats):
        for name, run in runs.items():
            if name in out:
                continue
            try:
                cost = run()
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr)
                out.add(name)
                continue
            costs[name].append(cost)
            if cost.wall_s > limit_s:
                out.add(name)
    return {name: got for name, got in costs.items() if got}


def median(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> float:
    """The median of a figure."""
    return statistics.median(map(figure, costs))


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost], figure: Callable[[Cost], float]) -> str:
    """How many times less ours is, by rounds: the median, and the least and the most."""
    each = [figure(b) / figure(a) for a, b in zip(ours, theirs, strict=False)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def machine() -> str:
    """Processor, cores and load, for the head of the results."""
    model = "processor unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, load {load}"
