"""Many workers, simulated: `python -m tests.benchmarks.bench_scale [WORKERS ...]`.

Scripted engines sleep like GPUs: so many tokens per second with a full batch, answers of very
different lengths, seconds to start. Workers are real Dask processes; a fifth of them is really
killed on the way. For each number of workers (with rows in proportion): the share of the engines'
time that went into answers that were kept, and rows lost or doubled.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.folders import LocalFolder
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models
from pipeline.runtime.listener import Listener
from pipeline.runtime.reports import PartReport
from pipeline.runtime.run import Runner
from tests.benchmarks.staffed import staffed

WORKERS = (1, 2, 4, 8, 16, 32)
TOKENS_PER_S, SLOTS, STARTUP_S = 20_000, 64, 3.0
SHORTEST, LONGEST = 60, 600
SECONDS, PART_ROWS = 120.0, 256
KILLED_SHARE = 0.2
MEAN_TOKENS = 234  # of a logarithmic spread: (600 - 60) / ln(600 / 60)

SCRIPT = f"""
answer_tokens: {{min: {SHORTEST}, max: {LONGEST}}}
pace: {{tokens_per_s: {TOKENS_PER_S}, max_num_seqs: {SLOTS}, startup_s: {STARTUP_S}, record: true}}
"""
RECIPE = """
name: scale
seed: 1
models: {{policy: {{engine: scripted, model: script.yaml}}}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl}}
  - {{stage: respond, model: policy, n: 1, max_tokens: 1024}}
  - {{stage: judge, model: policy, mode: pairwise}}
  - {{stage: pair}}
export: [{{config: dpo}}]
placement: {{workers: {workers}, part_rows: {part_rows}}}
"""


@dataclass
class Watch(Listener):
    """When generating began and ended, and what was lost on the way."""

    first: float = 0.0
    last: float = 0.0
    cpu_first: float = 0.0
    cpu_last: float = 0.0
    parts: int = 0
    lost: int = 0
    began: threading.Event = field(default_factory=threading.Event)

    def tell(self, message: dict[str, Any]) -> None:
        if "expect" in message and not self.first:
            self.first, self.cpu_first = time.time(), time.process_time()
            self.began.set()

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        if step.number == 1:
            self.parts += 1
            self.last, self.cpu_last = time.time(), time.process_time()

    def part_lost(self, step: KeyedStep, part: int, cause: str, again: bool) -> None:
        self.lost += 1


@dataclass
class Reaper:
    """Kills workers at random instants; remembers whom and when."""

    marks: Path
    count: int
    deaths: dict[int, float] = field(default_factory=dict)

    def work(self, watch: Watch) -> None:
        dice = random.Random(self.count)
        watch.began.wait()
        instants = sorted(dice.uniform(0.1, 0.85) * SECONDS for _ in range(self.count))
        for instant in instants:
            time.sleep(max(0.0, watch.first + instant - time.time()))
            alive = [pid for pid in engines(self.marks) if pid not in self.deaths]
            victim = dice.choice(alive)
            os.kill(victim, signal.SIGKILL)
            self.deaths[victim] = time.time()


def engines(marks: Path) -> dict[int, float]:
    """When the engine of each process was opened."""
    lines = (marks / "engines.jsonl").read_text().splitlines()
    return {entry["pid"]: entry["opened"] for entry in map(json.loads, lines)}


def measure(workers: int) -> dict[str, Any]:
    """One run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = round(SECONDS * TOKENS_PER_S / MEAN_TOKENS) * workers
        prompts = (json.dumps({"prompt": f"Question {n}?"}) for n in range(rows))
        (folder / "prompts.jsonl").write_text("\n".join(prompts))
        (folder / "script.yaml").write_text(SCRIPT)
        text = RECIPE.format(workers=workers, part_rows=PART_ROWS)
        (folder / "recipe.yaml").write_text(text)
        plan = compile_recipe(read_recipe(folder / "recipe.yaml"))
        specs = resolve_models(plan)
        steps = key_steps(plan, specs, LocalFolder(folder / "work"))[:2]
        shapes, fleet = staffed(plan, specs, steps)
        watch = Watch()
        reaper = Reaper(folder / "script.marks", round(KILLED_SHARE * workers))
        thread = threading.Thread(target=reaper.work, args=(watch,), daemon=True)
        thread.start()
        started = time.time()
        start = partial(open_executor, plan.recipe.placement, fleet, lambda: None)
        Runner(plan, steps, shapes, start, watch, lambda: False).run()
        ended = time.time()
        tokens, ids = 0, []
        for table in steps[1].folder.tables():
            ids += table["row_id"].to_pylist()
            tokens += sum(row[0]["n_tokens"] for row in table["responses"].to_pylist())
        lives = engines(reaper.marks)
        up_s = sum(
            max(0.0, min(reaper.deaths.get(pid, watch.last), watch.last) - opened)
            for pid, opened in lives.items()
        )
    return {
        "workers": workers,
        "rows": rows,
        "killed": len(reaper.deaths),
        "parts lost and done again": watch.lost,
        "rows lost": rows - len(set(ids)),
        "rows doubled": len(ids) - len(set(ids)),
        "driver and scheduler, CPU ms per part": round(
            1000 * (watch.cpu_last - watch.cpu_first) / watch.parts, 1
        ),
        "generating s": round(watch.last - watch.first, 1),
        "whole run s": round(ended - started, 1),
        "utilisation": round(tokens / (TOKENS_PER_S * up_s), 3),
        "tokens/s": round(tokens / (watch.last - watch.first)),
    }


def plot(results: list[dict[str, Any]]) -> str:
    """Tokens per second over workers beside the ideal, as an SVG of two lines."""
    most = results[-1]["workers"] * TOKENS_PER_S
    width, height, pad = 480, 260, 46

    def point(workers: int, rate: float) -> str:
        x = pad + (width - 2 * pad) * workers / results[-1]["workers"]
        y = height - pad - (height - 2 * pad) * rate / most
        return f"{x:.0f},{y:.0f}"

    ideal = " ".join(point(r["workers"], r["workers"] * TOKENS_PER_S) for r in results)
    found = " ".join(point(r["workers"], r["tokens/s"]) for r in results)
    marks = "".join(
        f'<circle cx="{x}" cy="{y}" r="3" fill="#1f6feb"/>'
        for x, y in (p.split(",") for p in found.split())
    )
    ticks = "".join(
        f'<text x="{point(r["workers"], 0).split(",")[0]}" y="{height - pad + 16}" '
        f'text-anchor="middle">{r["workers"]}</text>'
        for r in results[2:]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" fill="#57606a">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<polyline points="{ideal}" fill="none" stroke="#afb8c1" stroke-dasharray="4"/>'
        f'<polyline points="{found}" fill="none" stroke="#1f6feb" stroke-width="2"/>{marks}{ticks}'
        f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">workers</text>'
        f'<text x="{pad}" y="{pad - 18}">tokens/s, of {most:,} possible (dashed)</text></svg>\n'
    )


def main() -> None:
    """Measure and print a table; the plot goes beside this file."""
    counts = [int(word) for word in sys.argv[1:]] or list(WORKERS)
    results = []
    for workers in counts:
        results.append(measure(workers))
        print(results[-1], flush=True)
    head = list(results[0])
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for result in results:
        print("| " + " | ".join(f"{result[name]:,}" for name in head) + " |")
    if counts == list(WORKERS):
        (Path(__file__).parent / "scale.svg").write_text(plot(results))


if __name__ == "__main__":
    main()
