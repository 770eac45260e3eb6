"""Rows per second of the other stages of curation, and how good a choice diversity makes."""

from __future__ import annotations

import json
import sys
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.corpora import corpus
from tests.benchmarks.pinned import PEERS, in_turn, median, run_pinned
from tests.benchmarks.target_sets import target_set

BUCKETS, DIMENSIONS = 4096, 384
Vectors = np.ndarray[Any, Any]
TENTH = 0.1
STAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "diversity, facility location": ("diversity", {"keep": TENTH}),
    "diversity, k-center": ("diversity", {"keep": TENTH, "method": "k_center"}),
    "diversity, log-det": ("diversity", {"keep": TENTH, "method": "log_det"}),
    "isa": ("isa", {"keep": TENTH, "text": ["prompt"]}),
    "deita, the filter": ("deita", {"model": "policy", "answer": "answer", "keep": TENTH}),
    "dsir": ("dsir", {"keep": TENTH, "target": ""}),
    "quality_mix": ("quality_mix", {"keep": TENTH, "by": "deita_score"}),
    "filter, all rules on text": (
        "filter",
        {
            "min_words": 5,
            "repetition": True,
            "prose": True,
            "refusals": True,
            "max_urls": 3,
            "secrets": True,
            "personal": ["email", "phone", "ip", "card"],
        },
    ),
    "filter, languages": ("filter", {"languages": ["en"]}),
    "decontaminate": ("decontaminate", {"benchmarks": []}),
}
"""By name: the stage and its settings; target and benchmarks are put in."""


def settings_of(name: str, scratch: Path) -> dict[str, Any]:
    """The settings of a line of the table, with the files that it needs."""
    stage, settings = STAGES[name]
    target = str(scratch / "GSM8K.jsonl")
    if stage == "dsir":
        return settings | {"target": target}
    if stage == "decontaminate":
        return settings | {"benchmarks": [{"name": "gsm8k", "path": target, "fields": ["text"]}]}
    return settings


def prepare(data: Path, scratch: Path, rows: int) -> Path:
    """A corpus with embeddings and scores, and the target's file."""
    lines = (json.dumps({"text": text}) + "\n" for text in target_set(data, "GSM8K"))
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "GSM8K.jsonl").write_text("".join(lines))
    file = scratch / f"embedded-{rows}.parquet"
    if not file.exists():
        table = pq.read_table(corpus(data, scratch, rows))
        vectors = projections(table["text"].to_pylist())
        flat = pa.array(vectors.ravel())
        ends = pa.array(np.arange(rows + 1, dtype=np.int32) * DIMENSIONS)
        scores = np.random.default_rng(1).uniform(1, 36, rows)
        table = table.append_column("embedding", pa.ListArray.from_arrays(ends, flat))
        pq.write_table(table.append_column("deita_score", [scores]), file, row_group_size=5000)
    return file


def projections(texts: list[str]) -> Vectors:
    """Texts as unit vectors: logarithmic counts of hashed words, by a random projection."""
    plane = np.random.default_rng(1).standard_normal((BUCKETS, DIMENSIONS), np.float32)
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        hashed = [zlib.crc32(word.encode()) % BUCKETS for word in text.split()]
        places, counts = np.unique(hashed, return_counts=True)
        found[row] = np.log1p(counts).astype(np.float32) @ plane[places]
    return found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-12)


def compare(
    data: Path, scratch: Path, rows: int, repeats: int, cores: list[int], chosen: list[str]
) -> None:
    """Time each stage, and print a table."""
    file = prepare(data, scratch, rows)
    runs = {}
    for name, (stage, _) in STAGES.items():
        if not chosen or stage in chosen:
            settings = json.dumps(settings_of(name, scratch))
            words = [stage, settings, str(file), str(scratch / f"{name}.parquet")]
            command = [sys.executable, str(PEERS / "prefmill_pass.py"), *words]
            runs[name] = partial(run_pinned, command, cores)
    print(
        f"\n{rows:,} rows, a tenth to keep; {len(cores)} core(s), {repeats} rounds\n\n"
        "| stage | rows per CPU-second | rows/s | wall s | peak MB | kept |\n|" + "---|" * 6
    )
    for name, got in in_turn(runs, repeats).items():
        wall = median(got, lambda c: float(c.said["wall_s"]))
        print(
            f"| {name} | {rows / median(got, lambda c: c.work_s):,.0f} | {rows / wall:,.0f} "
            f"| {wall:.2f} | {median(got, lambda c: c.peak_mb):,.0f} | {got[-1].said['kept']:,} |",
            flush=True,
        )
    if "diversity, facility location" in runs:
        judge_diversity(data, scratch, cores)


def judge_diversity(data: Path, scratch: Path, cores: list[int], rows: int = 5000) -> None:
    """The objective over all pairs, beside a plain greedy choice over all pairs."""
    file = prepare(data, scratch, rows)
    out, keep = scratch / "small.parquet", rows // 10
    words = ["diversity", json.dumps({"keep": keep}), str(file), str(out)]
    run_pinned([sys.executable, str(PEERS / "prefmill_pass.py"), *words], cores)
    ids = pq.read_table(out, columns=["row_id"])["row_id"].to_pylist()
    ours = [int(row_id.removeprefix("row-")) for row_id in ids]
    flat = pq.read_table(file)["embedding"].combine_chunks().flatten().to_numpy()
    vectors = flat.reshape(rows, DIMENSIONS)
    alike = np.maximum(vectors @ vectors.T, 0)
    reached, best = alike[ours].max(axis=0).sum(), greedy(alike, keep)
    print(
        f"\nfacility location, {keep} of {rows:,}, over all pairs: {reached:,.1f}, greedy without "
        f"shortcuts {best:,.1f}, ratio {reached / best:.4f}"
    )


def greedy(alike: Vectors, keep: int) -> float:
    """What the greedy choice of `keep` rows reaches; a stale gain is an upper bound (Minoux)."""
    covered = np.zeros(len(alike), alike.dtype)
    gains = alike.sum(axis=1)
    for _ in range(keep):
        while True:
            row = int(gains.argmax())
            fresh = np.maximum(alike[row] - covered, 0).sum()
            gains[row] = fresh
            if fresh >= gains.max():
                break
        covered = np.maximum(covered, alike[row])
        gains[row] = -1
    return float(covered.sum())
