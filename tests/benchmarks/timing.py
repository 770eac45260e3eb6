"""Times whole commands in turn (A B A B ...), so that a drifting machine drifts for both."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence


def in_turn(
    commands: Mapping[str, Sequence[str]], runs: int = 7, before: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Wall seconds of each command over `runs` rounds, after one round that is not counted.

    `before` is called before each command and not timed.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(runs + 1):
        for name, command in commands.items():
            before()
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            if round_number:
                times[name].append(time.perf_counter() - started)
    return times


def show(times: Mapping[str, Sequence[float]], base: str) -> None:
    """Print medians, ranges and the median of the pairwise ratios to `base`."""
    print(f"{'':34}{'median ms':>10}{'min':>8}{'max':>8}  ratio to {base}")
    for name, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(values, times[base], strict=True))
        figures = [1000 * f(values) for f in (statistics.median, min, max)]
        print(f"{name:34}{figures[0]:10.0f}{figures[1]:8.0f}{figures[2]:8.0f}  {ratio:.2f}")
