"""Stages of curation in whole runs: one Dask worker, then two, on the same cores."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from tests.benchmarks.curation_stages import STAGES, prepare, settings_of
from tests.benchmarks.pinned import Cost, in_turn, median, run_pinned

HERE = Path(__file__).parent
PART_ROWS = 2000
WORKERS = (1, 2)
DEDUP = {"dedup, minhash": {"stage": "dedup"}}
NEEDS_MODEL = ("deita",)
NEEDS_SCORE = ("quality_mix",)


def steps(scratch: Path) -> dict[str, dict[str, Any]]:
    """The step that is measured, by name."""
    found: dict[str, dict[str, Any]] = dict(DEDUP)
    zipfit = {"stage": "zipfit", "keep": 0.1, "target": str(scratch / "few.jsonl")}
    found["zipfit, elimination, 20 targets"] = zipfit | {"mode": "elimination"}
    for name, (stage, _) in STAGES.items():
        if stage not in NEEDS_MODEL + NEEDS_SCORE:
            found[name] = {"stage": stage, **settings_of(name, scratch)}
    return found


def recipe(prompts: Path, step: dict[str, Any] | None) -> str:
    """A recipe that reads, projects and then does the step, if there is one."""
    before = [{"stage": "load_prompts", "path": str(prompts)}, {"stage": "project"}]
    value = {
        "name": "curation",
        "seed": 7,
        "stages": [*before, step] if step else before,
        "export": [{"config": "prompts"}],
        "placement": {"part_rows": PART_ROWS},
    }
    return yaml.safe_dump(value, sort_keys=False)


def compare(
    data: Path, scratch: Path, rows: int, repeats: int, cores: list[int], chosen: list[str]
) -> None:
    """Time each step with one worker and with two, what stands before it being done, in turn."""
    prompts, few = scratch / f"prompts-{rows}.jsonl", scratch / "few.jsonl"
    texts = pq.read_table(prepare(data, scratch, rows))["text"].to_pylist()
    prompts.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    few.write_text("".join((scratch / "GSM8K.jsonl").open().readlines()[:20]))
    print(
        f"\n{rows:,} rows, parts of {PART_ROWS:,}, {len(cores)} core(s), {repeats} rounds in turn"
        "\n\n| step | rows/s, 1 worker | rows/s, 2 workers | ratio | step s, 1 and 2 "
        "| whole run s, 1 and 2 | CPU s, 1 and 2 |\n|" + "---|" * 7
    )
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        (folder / "before.yaml").write_text(recipe(prompts, None))
        once(folder, folder / "before.yaml", folder / "before", 2, cores)
        for what, step in steps(scratch).items():
            if not chosen or step["stage"] in chosen:
                (folder / "recipe.yaml").write_text(recipe(prompts, step))
                runs = {str(n): partial(again, folder, n, cores) for n in WORKERS}
                _show(what, str(step["stage"]), rows, in_turn(runs, repeats))


def again(folder: Path, workers: int, cores: list[int]) -> Cost:
    """The recipe, from what stands before the step."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.copytree(folder / "before", folder / "out")
    return once(folder, folder / "recipe.yaml", folder / "out", workers, cores)


def once(folder: Path, path: Path, out: Path, workers: int, cores: list[int]) -> Cost:
    """A whole run."""
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(path), "--out", str(out)]
    options = ["--quiet", "--overwrite", "--events", str(folder / "events.jsonl")]
    (folder / "events.jsonl").unlink(missing_ok=True)
    more = {
        "PYTHONPATH": f"{HERE.parents[1]}:{HERE / 'noop'}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    placed = ["--set", f"placement.workers={workers}"]
    cost = run_pinned([*command, *options, *placed], cores, more)
    last = json.loads((folder / "events.jsonl").read_text().splitlines()[-1])
    walls = {step["step"]: step["wall_s"] for step in last["summary"]["steps"]}
    return Cost(cost.cpu_s, cost.wall_s, {"steps": walls})


def _show(what: str, stage: str, rows: int, costs: dict[str, list[Cost]]) -> None:
    if len(costs) < len(WORKERS):
        return
    one, two = (costs[str(n)] for n in WORKERS)
    steps = [median(got, lambda c: float(c.said["steps"][stage])) for got in (one, two)]
    wholes = [median(got, lambda c: c.wall_s) for got in (one, two)]
    cpus = [median(got, lambda c: c.cpu_s) for got in (one, two)]
    print(
        f"| {what} | {rows / steps[0]:,.0f} | {rows / steps[1]:,.0f} "
        f"| {steps[0] / steps[1]:.2f} | {steps[0]:.1f}, {steps[1]:.1f} "
        f"| {wholes[0]:.1f}, {wholes[1]:.1f} | {cpus[0]:.1f}, {cpus[1]:.1f} |",
        flush=True,
    )
