"""Times the pages of `prefmill view` over its real server.

    python -m tests.benchmarks.bench_view --rows 1000000 --folder /tmp/million

makes a dataset of pairs there, or takes the one that is there, and asks for its pages.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.dataset.card import RunFacts
from pipeline.dataset.write import ConfigRows, write_dataset
from schemas.arrow import arrow_schema
from schemas.columns import ROW_ID
from stages.export_dpo import STAGE

NEEDLE = "Needle in haystack."
_PART = 4096
_WORDS, _SENTENCES = 8000, 20_000
_PAGES: dict[str, str] = {
    "first page": "",
    "last page": "offset={last}",
    "smallest margin first": "order=margin",
    "the same, in the middle": "order=margin&offset={middle}",
    "shuffled, in the middle": "order=shuffled&offset={middle}",
    "margin and score and source": "minMargin={low}&maxScore=0.9&source=source+1",
    "margin from, highest score first, deep": "minMargin={low}&order=-score&offset=100000",
    "one row in full": "",
}


def make_rows(rows: int, seed: int = 0) -> Iterator[pa.Table]:
    """Pairs with prompts of some 160 characters and answers of some 700, made of random sentences.

    One row in 100,003 has `NEEDLE` in it.
    """
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(_WORDS)])
    often = 1 / np.arange(1, _WORDS + 1)
    lengths = rng.integers(8, 22, _SENTENCES)
    drawn = np.split(rng.choice(words, lengths.sum(), p=often / often.sum()), lengths.cumsum()[:-1])
    sentences = [" ".join(sentence).capitalize() + "." for sentence in drawn]
    schema = arrow_schema((ROW_ID, *STAGE.writes))
    for start in range(0, rows, _PART):
        numbers = range(start, min(start + _PART, rows))
        made = [_row(n, sentences, rng) for n in numbers]
        yield pa.Table.from_pylist(made, schema=schema)


def _row(number: int, sentences: list[str], rng: np.random.Generator) -> dict[str, Any]:
    picked = rng.integers(0, len(sentences), 20)
    texts = [
        " ".join(sentences[i] for i in part) for part in (picked[:2], picked[2:11], picked[11:])
    ]
    if number % 100_003 == 7:
        texts[1] += f" {NEEDLE}"
    low, high = sorted(rng.random(2).tolist())
    turns = [
        [{"role": r, "content": t}]
        for r, t in zip(("user", *2 * ("assistant",)), texts, strict=True)
    ]
    return {
        "row_id": f"{rng.integers(2**62):032x}",
        **dict(zip(("prompt", "chosen", "rejected"), turns, strict=True)),
        "score_chosen": high,
        "score_rejected": low,
        "margin": high - low,
        "labeller": "judge",
        "chosen_model": "model",
        "rejected_model": "model",
        "source": f"source {number % 7}",
        "lineage": [{"stage": "pair", "row_id": f"{number:032x}"}],
    }


def ask(port: int, path: str) -> tuple[float, Any]:
    """Seconds until the answer was whole, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    started = time.perf_counter()
    connection.request("GET", path)
    content = connection.getresponse().read()
    taken = time.perf_counter() - started
    connection.close()
    return taken, json.loads(content)


def cpu_seconds(process: int) -> float:
    """CPU time that a process has used; unlike the clock it does not count the work of others."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(port: int, rows: int, process: int) -> None:
    """Print the times of each page: the first time it is asked for, and of ten times more."""
    places = {"last": max(0, rows - 50), "middle": rows // 2}
    row_id = ask(port, f"/api/rows?offset={rows // 3}")[1]["rows"][0]["id"]
    for name, query in _PAGES.items():
        times, before = [], cpu_seconds(process)
        for time_asked in range(11):
            low = 0.3 + time_asked / 1000  # each time another filter, so that none is known
            path = f"/api/rows?{query.format(**places, low=low)}"
            times.append(ask(port, path if query or name == "first page" else _one(row_id))[0])
        cpu = (cpu_seconds(process) - before) / len(times)
        figures = (times[0], statistics.median(times[1:]), max(times), cpu)
        print(f"{name:42}" + "".join(f"{1000 * one:8.0f}" for one in figures), flush=True)
    started, before = time.perf_counter(), cpu_seconds(process)
    needle = f"/api/rows?text={NEEDLE.replace(' ', '+')}"
    waited = []
    while True:
        taken, answer = ask(port, needle)
        waited.append(taken)
        if answer["isDone"]:
            break
    whole, cpu = time.perf_counter() - started, cpu_seconds(process) - before
    print(f"text search: {whole:.1f} s, {cpu:.1f} s of CPU, {answer['total']} found")
    print(f"the longest answer meanwhile: {1000 * max(waited):.0f} ms")
    print(f"a page of what was found: {1000 * ask(port, needle)[0]:.0f} ms")


def _one(row_id: str) -> str:
    return f"/api/row?inConfig=dpo&id={row_id}"


def _tell_since(what: str, started: float, process: int) -> None:
    taken = time.perf_counter() - started
    print(f"{what} after {taken:.1f} s, {cpu_seconds(process):.1f} s of CPU")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    if not (args.folder / "dataset").exists():
        columns = tuple(STAGE.writes)
        config = ConfigRows(columns, lambda: make_rows(args.rows))
        write_dataset(args.folder, {"dpo": config}, RunFacts("bench", "", {}))
    command = [sys.executable, "-m", "pipeline.cli.main", "view", str(args.folder), "--no-open"]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        print(f"{line.strip()}")
        _tell_since("ready", started, process.pid)
        port = int(line.split("127.0.0.1:")[1].split("/")[0])
        for order in ("margin", "-margin", "score", "-score", "shuffled"):
            ask(port, f"/api/rows?order={order}")
        _tell_since("sorted in every order", started, process.pid)
        print(f"{'ms':42}{'first':>8}{'median':>8}{'most':>8}{'CPU':>8}")
        measure(port, args.rows, process.pid)
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = next(one for one in status.splitlines() if one.startswith("VmHWM"))
        print(f"memory at most: {int(peak.split()[1]) / 1000:.0f} MB")
        process.terminate()


if __name__ == "__main__":
    main()
