"""How well many workers are used while some are killed: `python -m tests.benchmarks.bench_scale`.

Runs one recipe on 1, 2, 4, ... worker processes, with as many rows per worker each time. Engines
are scripted and keep the pace of a GPU (`pipeline.engines.scripted_pace`), so what is measured is
how the mill feeds them, on any machine. On the way a share of the workers is killed (SIGKILL) at
random instants. The rows are compared with those of a run that was left in peace.

    utilisation     tokens that were committed, of those that the engines could have made while
                    they were up, from the first opened to the last request served
    busy            slots held, of all slots, in that time: also by work that died with a worker

Prints a Markdown table; with `--out DIR` also writes scale.md and scale.svg.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.line_plot import line_plot
from tests.support import run_recipe

MAX_NUM_SEQS = 64
RECIPE = """
name: scale
seed: 11
models:
  policy: {{engine: scripted, model: script.yaml}}
stages:
  - {{stage: magpie, model: policy, rows: {rows}}}
  - {{stage: respond, model: policy, n: 4}}
  - {{stage: judge, model: policy, mode: pairwise}}
  - {{stage: pair, strategy: best_worst}}
export: [{{config: dpo}}]
placement: {{workers: {workers}, part_rows: {part_rows}}}
"""
ANSWER_TOKENS = "answer_tokens: {min: 32, max: 256}"
"""In both scripts: it decides rows."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all numbers of workers."""

    rows_per_worker: int
    part_rows: int
    tokens_per_s: float
    startup_s: float
    kill_share: float


@dataclass(frozen=True, slots=True)
class Engine:
    """What is known of one engine.

    Attributes:
        opened, seen, busy_until: seconds since the epoch.
    """

    pid: int
    opened: float
    seen: float
    busy_until: float
    busy_slot_s: float
    closed: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    workers: int
    kills: int
    rows: int
    lost: int
    doubled: int
    wall_s: float
    phase_s: float
    utilisation: float
    busy: float


def measure(folder: Path, workers: int, settings: Settings) -> Result:
    """Run the recipe in peace and without pace, then paced on `workers` that are killed."""
    peace, paced = folder / f"peace-{workers}", folder / f"paced-{workers}"
    run_recipe(write_recipe(peace, 0, workers, settings), peace / "out")
    recipe = write_recipe(paced, workers, workers, settings)
    started = time.monotonic()
    summary, killed_at = run_with_kills(recipe, workers, settings)
    wall_s = time.monotonic() - started
    found = engines(paced)
    begin, end = min(e.opened for e in found), max(e.busy_until for e in found)
    up_s = sum(up_time(engine, killed_at, begin, end) for engine in found)
    expected, got = rows(peace / "out"), rows(paced / "out")
    return Result(
        workers=workers,
        kills=len(killed_at),
        rows=got.total(),
        lost=(expected - got).total(),
        doubled=(got - expected).total(),
        wall_s=wall_s,
        phase_s=end - begin,
        utilisation=tokens(summary) / (settings.tokens_per_s * up_s),
        busy=sum(engine.busy_slot_s for engine in found) / (MAX_NUM_SEQS * up_s),
    )


def write_recipe(folder: Path, workers: int, scale: int, settings: Settings) -> Path:
    """A recipe and its script; without workers it runs in one process and has no pace."""
    folder.mkdir()
    pace = [ANSWER_TOKENS]
    if workers:
        pace += [f"tokens_per_s: {settings.tokens_per_s}", f"max_num_seqs: {MAX_NUM_SEQS}"]
        pace += [f"startup_s: {settings.startup_s}", "record: true"]
    (folder / "script.yaml").write_text(f"pace: {{{', '.join(pace)}}}\n")
    rows = settings.rows_per_worker * scale
    recipe = folder / "scale.yaml"
    recipe.write_text(RECIPE.format(rows=rows, workers=workers, part_rows=settings.part_rows))
    return recipe


def run_with_kills(
    recipe: Path, workers: int, settings: Settings
) -> tuple[dict[str, Any], dict[int, float]]:
    """The run's summary, and by process when it was killed, in seconds since the epoch."""
    folder, killed_at = recipe.parent, dict[int, float]()
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--json"]
    with (
        (folder / "summary.json").open("wb") as out,
        (folder / "stderr").open("wb") as errors,
        subprocess.Popen(
            [*command, "--out", str(folder / "out")], stdout=out, stderr=errors
        ) as process,
    ):
        try:
            for instant_s in kill_instants(workers, settings):
                if pid := wait_for_victim(process, folder, instant_s):
                    psutil.Process(pid).kill()
                    killed_at[pid] = time.time()
            code = process.wait()
        finally:
            process.kill()
    assert code == 0, (folder / "stderr").read_text()
    return json.loads((folder / "summary.json").read_text()), killed_at


def kill_instants(workers: int, settings: Settings) -> list[float]:
    """Seconds after the first engine opened, spread over the time that full engines would need."""
    # 5 answers and 12 judgements a row; the mean of a log-uniform length.
    tokens_per_row = 5 * (256 - 32) / math.log(256 / 32) + 12
    full_s = settings.rows_per_worker * tokens_per_row / settings.tokens_per_s
    chance = random.Random(workers)
    count = math.ceil(settings.kill_share * workers)
    return sorted(chance.uniform(0.05, 0.95) * full_s for _ in range(count))


def wait_for_victim(process: subprocess.Popen[bytes], folder: Path, instant_s: float) -> int | None:
    """A worker with an open engine, at the instant or soon after; None if the run ended before."""
    while process.poll() is None:
        found = engines(folder)
        if found and time.time() >= min(engine.opened for engine in found) + instant_s:
            family = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
            if alive := [e.pid for e in found if e.pid in family and not e.closed]:
                return random.choice(alive)
        time.sleep(0.05)
    return None


def engines(folder: Path) -> list[Engine]:
    """The last that each engine noted."""
    try:
        lines = (folder / "script.yaml.marks" / "engines.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    found = [Engine(**json.loads(line)) for line in lines]
    return list({(engine.pid, engine.opened): engine for engine in found}.values())


def up_time(engine: Engine, killed_at: dict[int, float], begin: float, end: float) -> float:
    """Seconds of a phase that an engine was open; one that was not closed is up to the end."""
    gone = killed_at.get(engine.pid, engine.seen if engine.closed else end)
    return max(0.0, min(gone, end) - max(engine.opened, begin))


def tokens(summary: dict[str, Any]) -> int:
    """Tokens that the engines made for what was committed; a judgement is one."""
    usages = [step["usage"] for step in summary["steps"]]
    return sum(usage["sampled_tokens"] or usage["requests"] for usage in usages)


def rows(out: Path) -> Counter[str]:
    """The rows of the dataset, as often as they occur."""
    import pyarrow.parquet as pq

    table = pq.read_table(out / "dataset" / "dpo")
    return Counter(json.dumps(row, sort_keys=True) for row in table.to_pylist())


HEADER = (
    "| workers | killed | rows | lost | doubled | wall s | phase s | utilisation | busy |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def line(result: Result) -> str:
    """A result as a line of a Markdown table."""
    r = result
    return (
        f"| {r.workers} | {r.kills} | {r.rows} | {r.lost} | {r.doubled} | {r.wall_s:.1f} "
        f"| {r.phase_s:.1f} | {r.utilisation:.1%} | {r.busy:.1%} |"
    )


def plot(results: Sequence[Result], settings: Settings) -> str:
    """The results as SVG."""
    return line_plot(
        f"Engines in use, {settings.kill_share:.0%} of the workers killed on the way",
        "worker processes",
        [result.workers for result in results],
        {
            "slots busy": [result.busy for result in results],
            "utilisation: tokens committed": [result.utilisation for result in results],
        },
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--rows-per-worker", type=int, default=256)
    parser.add_argument("--part-rows", type=int, default=32)
    parser.add_argument("--tokens-per-s", type=float, default=2000.0, help="of each engine")
    parser.add_argument("--startup-s", type=float, default=2.0, help="of each engine")
    parser.add_argument("--kill-share", type=float, default=0.2, help="of the workers")
    parser.add_argument("--out", type=Path, help="folder for scale.md and scale.svg")
    return parser.parse_args()


def main() -> int:
    """Measure, print and write; 1 if any row was lost or doubled."""
    options = vars(arguments())
    counts, out = options.pop("workers"), options.pop("out")
    settings, results = Settings(**options), list[Result]()
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        for workers in counts:
            results.append(measure(Path(folder), workers, settings))
            print(line(results[-1]), flush=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scale.md").write_text("\n".join([HEADER, *map(line, results)]) + "\n")
        (out / "scale.svg").write_text(plot(results, settings))
    return int(any(result.lost or result.doubled for result in results))


if __name__ == "__main__":
    sys.exit(main())
