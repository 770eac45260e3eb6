"""Does memory stay bounded: `python -m tests.benchmarks.bench_memory [ROWS ...]`.

A scripted run through eight stages with two workers; the peak resident memory of the process that
runs it, and of its workers, for 100,000 and for 1,000,000 rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

ROWS = (100_000, 1_000_000)
RECIPE = """
name: memory
seed: 1
models:
  policy: {engine: scripted, model: echo}
  other: {engine: scripted, model: echo}
stages:
  - {stage: load_prompts, path: prompts.jsonl}
  - {stage: respond, model: policy, n: 1}
  - {stage: respond, name: again, model: other, n: 1}
  - {stage: filter_rules}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: logit, model: policy, mode: contrast, principle: helpful}
  - {stage: pair, labeller: judge}
export: [{config: dpo}]
placement: {workers: 2, part_rows: 1000}
"""


def measure(rows: int) -> dict[str, float]:
    """Peak MB of the driver and of the largest worker, and seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "prompts.jsonl").open("w") as file:
            for n in range(rows):
                file.write(json.dumps({"prompt": f"What is {n} times {n * 7919 % 10007}?"}) + "\n")
        (folder / "recipe.yaml").write_text(RECIPE)
        command = [sys.executable, "-m", "pipeline.cli.main", "run", str(folder / "recipe.yaml")]
        started = time.perf_counter()
        driver, worker = 0, 0
        with subprocess.Popen([*command, "--out", str(folder / "out"), "--quiet"]) as process:
            root = psutil.Process(process.pid)
            while process.poll() is None:
                with suppress(psutil.NoSuchProcess):
                    driver = max(driver, root.memory_info().rss)
                    sizes = [p.memory_info().rss for p in root.children(recursive=True)]
                    worker = max([worker, *sizes])
                time.sleep(0.1)
        files = [f for f in (folder / "out" / "work").rglob("*") if f.is_file()]
        return {
            "rows": rows,
            "driver MB": round(driver / 2**20),
            "largest worker MB": round(worker / 2**20),
            "seconds": round(time.perf_counter() - started),
            "files of work": len(files),
            "MB of work": round(sum(f.stat().st_size for f in files) / 2**20),
        }


def main() -> None:
    """Measure and print."""
    counts = [int(word) for word in sys.argv[1:]] or list(ROWS)
    results = [measure(rows) for rows in counts]
    for result in results:
        print(result)
    first, last = results[0], results[-1]
    for name in ("driver MB", "largest worker MB"):
        print(f"{name}: ratio {last[name] / first[name]:.2f}")


if __name__ == "__main__":
    main()
