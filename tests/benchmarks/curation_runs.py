"""Stages of curation in whole runs: one Dask worker, then two, on the same cores.

And two runs of one worker at once, which share nothing but the machine: what two workers of one run
could gain.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from tests.benchmarks.curation_stages import STAGES, prepare, settings_of
from tests.benchmarks.pinned import Cost, in_turn, median, ratio, run_pinned

HERE = Path(__file__).parent
PART_ROWS = 2000
STAFF = {"1 worker, 1 core": (1, 1), "1 worker, 2 cores": (1, 2), "2 workers": (2, 2)}
"""Workers and cores; the driver has no core to itself."""
AT_ONCE = "2 runs at once, 1 worker and 1 core each"
GRADED_ROWS = 160
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For each worker: what two gain is not to be what one has by threads."""
DEDUP = {"dedup, minhash": {"stage": "dedup"}}
BY_VECTORS = ("diversity", "isa")
APART = ("deita", "quality_mix")
"""One reads answers, the other a score."""
Steps = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Way:
    """What stands before the step, and who answers it.

    Attributes:
        load: the stage that reads the rows.
        models: for the step.
        embedded: whether the rows have embeddings, which each step then reads and writes.
    """

    load: str = "load_prompts"
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    part_rows: int = PART_ROWS
    embedded: bool = True


TEXTS, VECTORS = Way(embedded=False), Way()
SCRIPTED = Way("load_answers", {"policy": {"engine": "scripted", "model": "echo"}})
BUNDLED = Way("load_answers", {"policy": {"model": "smollm2-135m-instruct"}}, 12)


def plain_steps(scratch: Path) -> Steps:
    """The steps that read prompts and ask no model, by name."""
    zipfit = {"stage": "zipfit", "keep": 0.1, "target": str(scratch / "few.jsonl")}
    found: Steps = DEDUP | {"zipfit, elimination, 20 targets": zipfit | {"mode": "elimination"}}
    for name, (stage, _) in STAGES.items():
        if stage not in APART:
            found[name] = {"stage": stage, **settings_of(name, scratch)}
    return found


def recipe(file: Path, step: dict[str, Any] | None, way: Way) -> str:
    """A recipe that reads, projects and then does the step, if there is one."""
    before = [{"stage": way.load, "path": str(file)}]
    if way.embedded:
        before.append({"stage": "project"})
    value = {
        "name": "curation",
        "seed": 7,
        "models": way.models if step else {},
        "stages": [*before, step] if step else before,
        "export": [{"config": "prompts"}],
        "placement": {"part_rows": way.part_rows},
    }
    return yaml.safe_dump(value, sort_keys=False)


def prompts(texts: list[str]) -> list[dict[str, str]]:
    """Each text as a prompt."""
    return [{"prompt": text} for text in texts]


def answers(texts: list[str]) -> list[dict[str, str]]:
    """The first half of each text as an instruction, the other as its answer."""
    halves = ((words, (len(words) + 1) // 2) for words in (text.split(" ") for text in texts))
    return [
        {"prompt": " ".join(w[:n]), "answer": " ".join(w[n:]).strip() or "Yes."} for w, n in halves
    ]


def compare(
    data: Path, scratch: Path, rows: int, repeats: int, cores: list[int], chosen: list[str]
) -> None:
    """Time each step with one worker and with two, what stands before it being done, in turn."""
    texts = pq.read_table(prepare(data, scratch, rows))["text"].to_pylist()
    (scratch / "few.jsonl").write_text("".join((scratch / "GSM8K.jsonl").open().readlines()[:20]))
    print(
        f"\n{rows:,} rows, parts of {PART_ROWS:,}, {repeats} rounds in turn\n\n"
        f"| step | rows/s: {' | '.join(STAFF)} | {AT_ONCE} | 2 workers: times 1 on 1 core | on 2 "
        "| the same with the decision | on 2 | 2 runs: times 1 | step s | whole run s | CPU s |\n|"
        + "---|"
        * 13
    )
    plain = plain_steps(scratch)
    for way in (TEXTS, VECTORS):
        wanted = {
            what: step
            for what, step in plain.items()
            if (step["stage"] in BY_VECTORS) == way.embedded
            and (not chosen or step["stage"] in chosen)
        }
        if wanted:
            _compare(scratch, prompts(texts), wanted, way, repeats, cores)
    deita = {"stage": "deita", **settings_of("deita, the filter", scratch)}
    if not chosen or "deita" in chosen:
        graded = {"deita, graded by a script": deita}
        _compare(scratch, answers(texts), graded, SCRIPTED, repeats, cores)
    if not chosen or "graded" in chosen:
        _compare_graded(scratch, answers(texts[:GRADED_ROWS]), deita, cores)


def _compare(
    scratch: Path,
    rows: list[dict[str, str]],
    wanted: Steps,
    way: Way,
    repeats: int,
    cores: list[int],
) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        _do_before(folder, rows, way, cores)
        for what, step in wanted.items():
            (folder / "recipe.yaml").write_text(recipe(folder / "rows.jsonl", step, way))
            runs = {
                name: partial(again, folder, workers, cores[:own])
                for name, (workers, own) in STAFF.items()
            }
            runs[AT_ONCE] = partial(at_once, folder, cores)
            _show(what, str(step["stage"]), len(rows), in_turn(runs, repeats))


def _compare_graded(
    scratch: Path, rows: list[dict[str, str]], step: dict[str, Any], cores: list[int]
) -> None:
    """With the bundled model: a worker on one core, one on all, and two on a core each."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        _do_before(folder, rows, BUNDLED, cores)
        (folder / "recipe.yaml").write_text(recipe(folder / "rows.jsonl", step, BUNDLED))
        for name, (workers, own) in STAFF.items():
            cost = again(folder, workers, cores[:own], {})  # engines share the cores by themselves
            wall = parts_s(cost, "deita")
            print(
                f"deita, {len(rows)} rows graded by the bundled model, {name}: "
                f"{len(rows) / wall:.2f} rows/s, step {wall:.1f} s, whole run {cost.wall_s:.1f} s",
                flush=True,
            )


def _do_before(folder: Path, rows: list[dict[str, str]], way: Way, cores: list[int]) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "before.yaml").write_text(recipe(folder / "rows.jsonl", None, way))
    once(folder / "before.yaml", folder / "before", 2, cores)


def again(
    folder: Path, workers: int, cores: list[int], threads: Mapping[str, str] = ONE_THREAD
) -> Cost:
    """The recipe, from what stands before the step."""
    return once(folder / "recipe.yaml", _prepared(folder, "out"), workers, cores, threads)


def at_once(folder: Path, cores: list[int]) -> Cost:
    """The same twice at the same time, on a core each; seconds are those for the rows of one."""
    outs = [_prepared(folder, f"out-{core}") for core in cores[:2]]
    with ThreadPoolExecutor() as threads:
        runs = [
            threads.submit(once, folder / "recipe.yaml", out, 1, [core])
            for out, core in zip(outs, cores, strict=False)
        ]
        costs = [run.result() for run in runs]
    said = {
        name: {step: sum(c.said[name][step] for c in costs) / 4 for step in costs[0].said["steps"]}
        for name in ("steps", "decided")
    }
    return Cost(sum(c.cpu_s for c in costs) / 2, sum(c.wall_s for c in costs) / 4, said)


def _prepared(folder: Path, name: str) -> Path:
    """A folder in which what stands before the step is done."""
    shutil.rmtree(folder / name, ignore_errors=True)
    return Path(shutil.copytree(folder / "before", folder / name))


def once(
    path: Path,
    out: Path,
    workers: int,
    cores: list[int],
    threads: Mapping[str, str] = ONE_THREAD,
) -> Cost:
    """A whole run, and the seconds of its steps without models' loading; those of decisions."""
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(path), "--out", str(out)]
    events = out.with_suffix(".events.jsonl")
    events.unlink(missing_ok=True)
    options = ["--quiet", "--overwrite", "--events", str(events)]
    more = {"PYTHONPATH": f"{HERE.parents[1]}:{HERE / 'noop'}", **threads}
    placed = ["--set", f"placement.workers={workers}"]
    cost = run_pinned([*command, *options, *placed], cores, more)
    walls: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for event in map(json.loads, events.read_text().splitlines()):
        if event["event"] == "step_closed":
            walls[event["step"]] += event["wall_s"] - event["loading_s"]
        elif event["event"] == "decided":
            decided[event["step"]] += event["seconds"]
    return Cost(cost.cpu_s, cost.wall_s, {"steps": walls, "decided": decided})


def parts_s(cost: Cost, stage: str) -> float:
    """Seconds of a step but for its decision over all rows."""
    return float(cost.said["steps"][stage] - cost.said["decided"][stage])


def step_s(cost: Cost, stage: str) -> float:
    """Seconds of a step."""
    return float(cost.said["steps"][stage])


def _show(what: str, stage: str, rows: int, costs: dict[str, list[Cost]]) -> None:
    if len(costs) <= len(STAFF):
        return
    steps, wholes, cpus = [], [], []
    for got in costs.values():
        steps.append(median(got, lambda c: parts_s(c, stage)))
        wholes.append(median(got, lambda c: c.wall_s))
        cpus.append(median(got, lambda c: c.cpu_s))
    rates = " | ".join(f"{rows / step:,.0f}" for step in steps)
    alone, roomy, two, twice = costs.values()
    times = [
        ratio(two, one, lambda c, of=of: of(c, stage))  # type: ignore[misc]  # a lambda's default
        for of in (parts_s, step_s)
        for one in (alone, roomy)
    ]
    times.append(ratio(twice, alone, lambda c: parts_s(c, stage)))
    listed = (", ".join(f"{value:.1f}" for value in each) for each in (steps, wholes, cpus))
    print(
        f"| {what} | {rates} | {' | '.join(times)} | {' | '.join(listed)} |",
        flush=True,
    )
