"""What the runtime costs when models cost nothing: `python -m tests.benchmarks.bench_overhead`.

100,000 rows in parts of 1,000; for each row a generator without latency is asked once. The same in
a plain loop with pyarrow, in raw Dask futures, `datasets.map`, distilabel and datatrove, whole
processes in turn, start-up included. Nobody else writes a report, so prefmill is timed without, and
once with it. Then prefmill is killed half-way and run again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.environments import python_of, version_in
from tests.benchmarks.timing import in_turn, show

ROWS, PART_ROWS, ROUNDS = 100_000, 1000, 3
ONE_ROW = "prefmill, workers: 0, one row"
HERE = Path(__file__).parent
PREFMILL = [str(Path(sys.executable).with_name("prefmill")), "run"]
RECIPE = f"""
name: noop
seed: 3
models: {{policy: {{engine: scripted, model: echo}}}}
stages: [{{stage: noop, model: policy, rows: {ROWS}}}]
export: [{{config: noop}}]
placement: {{part_rows: {PART_ROWS}}}
"""
PEERS = {
    "distilabel": ("distilabel", "requests"),
    "datatrove": ("datatrove", "pyarrow", "xxhash<4"),
}
LOOPS = {
    "distilabel": {"a plain step": "distilabel", "TextGeneration": "distilabel_llm"},
    "datatrove": {"2 workers": "datatrove"},
}
"""By peer, what is timed and the script that does it."""


def main() -> None:
    """Measure and print."""
    os.environ["PYTHONPATH"] = str(HERE / "noop")  # where the no-op stages are found
    # Our files, too, are compiled once, as those of the peers were when they were installed.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        recipe, out = Path(folder) / "noop.yaml", Path(folder) / "out"
        recipe.write_text(RECIPE)
        commands = own_commands(recipe, out) | peer_commands(out)
        times = in_turn(commands, ROUNDS, before=lambda: shutil.rmtree(out, ignore_errors=True))
        show(times, base="raw Dask, 2 workers")
        times.pop(ONE_ROW)
        for name, values in times.items():
            print(f"{name:34}{ROWS / sorted(values)[len(values) // 2]:10,.0f} rows/s (median)")
        killed_half_way(recipe, out)


def own_commands(recipe: Path, out: Path) -> dict[str, list[str]]:
    """prefmill, and loops that need nothing but what it is installed with."""
    reported = [*PREFMILL, str(recipe), "--out", str(out), "--quiet"]
    run, inline = [*reported, "--no-report"], ["--set", "placement.workers=0"]
    return {
        "prefmill, workers: 0": [*run, *inline],
        "prefmill, workers: 2": [*run, "--set", "placement.workers=2"],
        ONE_ROW: [*run, *inline, "--limit", "1"],
        "prefmill, workers: 0, report": [*reported, *inline],
        "raw Dask, 2 workers": peer(sys.executable, "dask", out),
        "pyarrow, one loop": peer(sys.executable, "pyarrow", out),
        "datasets.map, one process": peer(sys.executable, "datasets", out),
    }


def peer_commands(out: Path) -> dict[str, list[str]]:
    """Peers with an environment of their own, if they can be installed."""
    commands = {}
    for name, requirements in PEERS.items():
        if python := python_of(name, *requirements):
            found = f"{name} {version_in(python, name)}"
            for what, script in LOOPS[name].items():
                commands[f"{found}, {what}"] = peer(python, script, out)
    return commands


def peer(python: str, name: str, out: Path) -> list[str]:
    """The command that has a peer do the same."""
    script = HERE / "peers" / f"loop_{name}.py"
    return [python, str(script), str(ROWS), str(PART_ROWS), str(out)]


def killed_half_way(recipe: Path, out: Path) -> None:
    """SIGKILL at half of the parts, then the same command again."""
    shutil.rmtree(out, ignore_errors=True)
    run = [*PREFMILL, str(recipe), "--out", str(out), "--set", "placement.workers=2", "--json"]
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while len(committed := list(out.glob("work/00-noop-*/*.part"))) < ROWS // PART_ROWS // 2:
            time.sleep(0.002)
        first.send_signal(signal.SIGKILL)
    kept = len(list(out.glob("work/00-noop-*/*.part")))
    again = subprocess.run(run, capture_output=True, text=True, check=True)
    rows = ids(out)
    print(f"killed after {len(committed)} of {ROWS // PART_ROWS} parts; {kept} were kept")
    print(f"{again.stderr.splitlines()[0]}")
    print(f"rows lost: {ROWS - len(set(rows))}, doubled: {len(rows) - len(set(rows))}")
    print(f"rows in the summary: {json.loads(again.stdout)['rows']}")


def ids(out: Path) -> list[str]:
    """The ids of the rows in the dataset."""
    import pyarrow.parquet as pq

    found: list[str] = pq.read_table(out / "dataset" / "noop")["row_id"].to_pylist()
    return found


if __name__ == "__main__":
    main()
