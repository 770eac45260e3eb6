"""ZIP-FIT beside its reference package: the same ordered rows, and how much sooner."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.environments import python_of, version_in
from tests.benchmarks.pinned import PART_ROWS, PEERS, ROOT, Cost, in_turn, median, ratio, run_pinned
from tests.benchmarks.target_sets import instructions, target_set

REQUIREMENTS = ("zip-fit==1.0.9", "lz4", "zstandard", "brotli", "numpy", "datasets")
SHARES = (0.1, 0.01)
REFERENCE = "zip-fit 1.0.9, gzip level 9"
MODES: dict[str, dict[str, Any]] = {
    "prefmill, elimination": {"mode": "elimination"},
    "prefmill, exact": {"mode": "exact"},
}
CODECS: dict[str, dict[str, Any]] = {
    "lz4, level 0": {"mode": "exact", "compressor": "lz4", "level": 0},
    "zlib-ng, level 6": {"mode": "exact", "compressor": "zlib-ng", "level": 6},
}
"""Approximate alternatives; the overlap of what they choose is measured."""


def compare(
    data: Path, scratch: Path, sources: int, targets: int, repeats: int, cores: list[int]
) -> None:
    """Time all in turn for both target sets and shares, and print a table."""
    scratch.mkdir(parents=True, exist_ok=True)
    texts = instructions(data)[:sources]
    write(scratch / "sources", texts)
    print(
        f"\n{len(texts):,} sources of {np.mean([len(t.encode()) for t in texts]):,.0f} bytes, "
        f"{targets} targets; {len(cores)} core(s), {repeats} rounds in turn\n\n"
        "| targets | share | tool | CPU s | wall s | times as fast, CPU | times as fast, wall "
        "| pairs per CPU-second | the same rows, in order | shared | peak MB |\n|" + "---|" * 11
    )
    for name in ("HumanEval", "GSM8K"):
        write(scratch / name, target_set(data, name)[:targets])
        for share in SHARES:
            one(scratch, name, share, len(texts) * targets, repeats, cores)


def write(stem: Path, texts: list[str]) -> None:
    """The same texts as JSON lines and as Parquet."""
    lines = (json.dumps({"text": text}) + "\n" for text in texts)
    stem.with_suffix(".jsonl").write_text("".join(lines))
    ids = [f"row-{n:08d}" for n in range(len(texts))]
    table = pa.table({"row_id": ids, "text": pa.array(texts, pa.large_string())})
    pq.write_table(table, stem.with_suffix(".parquet"), row_group_size=PART_ROWS)


def one(scratch: Path, name: str, share: float, pairs: int, repeats: int, cores: list[int]) -> None:
    """One target set and share."""
    texts = pq.read_table(scratch / "sources.parquet")["text"].to_pylist()
    k = round(share * len(texts))
    wanted = {"keep": share, "target": str(scratch / f"{name}.jsonl"), "text": ["answer"]}
    commands = {way: ours(scratch, way, wanted | how) for way, how in (MODES | CODECS).items()}
    if python := python_of("zip-fit", *REQUIREMENTS):
        assert version_in(python, "zip-fit") in REFERENCE
        files = [str(scratch / f) for f in ("sources.jsonl", f"{name}.jsonl")]
        script, out = str(PEERS / "zipfit_reference.py"), str(scratch / "reference.jsonl")
        commands[REFERENCE] = [python, script, *files, str(k), out]
    more = with_codecs()
    runs = {way: partial(run_pinned, command, cores, more) for way, command in commands.items()}
    costs = in_turn(runs, repeats)
    theirs = costs.get(REFERENCE, [])
    chosen = [json.loads(line)["text"] for line in (scratch / "reference.jsonl").open()]
    for way, got in costs.items():
        found = chosen if way == REFERENCE else rows_of(scratch / f"{way}.parquet", texts)
        cpu = ratio(got, theirs, Cost.work_s.fget) if theirs else "-"
        wall = ratio(got, theirs, lambda c: float(c.said["wall_s"])) if theirs else "-"
        seconds = median(got, lambda c: c.work_s)
        print(
            f"| {name} | {share:.0%} | {way} | {seconds:.2f} "
            f"| {median(got, lambda c: float(c.said['wall_s'])):.2f} | {cpu} | {wall} "
            f"| {pairs / seconds:,.0f} | {'yes' if found == chosen else 'no'} "
            f"| {len(set(found) & set(chosen)) / len(chosen):.3f} "
            f"| {median(got, lambda c: c.peak_mb):,.0f} |",
            flush=True,
        )


def with_codecs() -> dict[str, str]:
    """Where the compressors lie that a user installs by choice."""
    python = python_of("codecs", "lz4==4.4.5", "zlib-ng==1.1.0")
    folders = Path(python).parents[1].glob("lib/*/site-packages") if python else ()
    return {"PYTHONPATH": os.pathsep.join(map(str, [ROOT, *folders]))}


def ours(scratch: Path, way: str, settings: dict[str, Any]) -> list[str]:
    """The command that runs our stage."""
    files = [str(scratch / "sources.parquet"), str(scratch / f"{way}.parquet")]
    return [sys.executable, str(PEERS / "prefmill_pass.py"), "zipfit", json.dumps(settings), *files]


def rows_of(file: Path, texts: list[str]) -> list[str]:
    """The texts that stay, best first."""
    table = pq.read_table(file)
    table = table.sort_by([("zipfit_rank", "ascending")])
    return [texts[int(row_id.removeprefix("row-"))] for row_id in table["row_id"].to_pylist()]
