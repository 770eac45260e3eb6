"""Ways to put the rows of a pool in order by how much they are like given targets."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pipeline.engines.open import open_model, with_files
from pipeline.engines.resolve import resolve_model
from schemas.models import EmbedRequest
from schemas.recipe import ModelEntry, ModelPlacement
from stages._embedded import vectors_of
from stages.similarity import Examples, similarities
from tests.benchmarks.pinned import PART_ROWS, PEERS, run_pinned

ENCODER = ModelEntry(model="all-minilm-l6-v2", kind="embedding")
STAGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "zipfit, plain": ("zipfit", {}, "zipfit_rank"),
    "zipfit, `normalise: length`": ("zipfit", {"normalise": "length"}, "zipfit_rank"),
    "dsir": ("dsir", {}, "dsir_rank"),
    "dsir, no noise, `normalise: length`": (
        "dsir",
        {"noise": False, "normalise": "length"},
        "dsir_rank",
    ),
}
"""By name: a stage, its settings, the column with a row's place."""


@dataclass(frozen=True)
class Pool:
    """Rows, which of them are hidden ones, and the targets that a method may look at."""

    texts: list[str]
    hidden: list[bool]
    targets: list[str]

    def found(self, order: Sequence[int], k: int) -> int:
        """How many hidden rows are among the first k."""
        return sum(self.hidden[i] for i in order[:k])

    def length_correlation(self, order: Sequence[int]) -> float:
        """Spearman's, of how early a row comes with how long it is."""
        lengths = [len(self.texts[i]) for i in order]
        return float(spearmanr(-np.arange(len(order)), lengths).statistic)


def orders(
    pool: Pool, scratch: Path, wanted: Sequence[str] = ()
) -> Iterator[tuple[str, list[int], float]]:
    """Each method's order, best first, and the seconds that it took.

    With `wanted` only the methods whose names begin with one of these words.
    """
    ids = [f"row-{n:08d}" for n in range(len(pool.texts))]
    table = pa.table({"row_id": ids, "text": pa.array(pool.texts, pa.large_string())})
    pq.write_table(table, scratch / "pool.parquet", row_group_size=PART_ROWS)
    lines = (json.dumps({"text": text}) + "\n" for text in pool.targets)
    (scratch / "targets.jsonl").write_text("".join(lines))
    for method, find in methods(scratch).items():
        if named(method, wanted):
            yield method, *find(pool)


def named(method: str, wanted: Sequence[str]) -> bool:
    """Does its name begin with one of these words? With no words, yes."""
    return method.startswith(tuple(wanted) or "")


def methods(scratch: Path) -> dict[str, Callable[[Pool], tuple[list[int], float]]]:
    """By name: what gives a pool's order, and the seconds that it took."""
    found: dict[str, Callable[[Pool], tuple[list[int], float]]] = {}
    for method, (stage, settings, place) in STAGES.items():
        found[method] = partial(_by_stage, stage, settings, place, scratch)
    plain = {"embedding similarity": by_embedding, "shortest": by_shortness, "random": by_chance}
    return found | {method: partial(_timed, find) for method, find in plain.items()}


def _timed(find: Callable[[Pool], list[int]], pool: Pool) -> tuple[list[int], float]:
    started = time.perf_counter()
    order = find(pool)
    return order, time.perf_counter() - started


def _by_stage(
    stage: str, settings: dict[str, Any], place: str, scratch: Path, pool: Pool
) -> tuple[list[int], float]:
    files = {"target": str(scratch / "targets.jsonl"), "keep": len(pool.texts)}
    whole = json.dumps({"text": ["answer"], **files, **settings})
    out = scratch / "out.parquet"
    words = [stage, whole, str(scratch / "pool.parquet"), str(out)]
    cost = run_pinned([sys.executable, str(PEERS / "prefmill_pass.py"), *words], [0, 1])
    ids = pq.read_table(out).sort_by([(place, "ascending")])["row_id"].to_pylist()
    return [int(row_id.removeprefix("row-")) for row_id in ids], float(cost.said["wall_s"])


def by_chance(pool: Pool) -> list[int]:
    """Any order."""
    return random.Random(1).sample(range(len(pool.texts)), len(pool.texts))


def by_shortness(pool: Pool) -> list[int]:
    """Short texts first: what a score must beat to say more than a length."""
    return sorted(range(len(pool.texts)), key=lambda i: len(pool.texts[i]))


def by_embedding(pool: Pool) -> list[int]:
    """What the stage `similarity` scores: mean cosine with the targets, by a sentence encoder."""
    rows, targets = embedded(tuple(pool.texts)), embedded(tuple(pool.targets))
    scores = similarities(rows, Examples(targets, targets.mean(axis=0)), len(targets))
    return [int(i) for i in np.argsort(-np.array(scores), kind="stable")]


@cache
def embedded(texts: tuple[str, ...]) -> NDArray[np.float64]:
    """f64[n, dimensions], rows of length 1."""
    spec = with_files(resolve_model("encoder", ENCODER, ModelPlacement(), Path()))
    model: Any = open_model(spec).generator
    try:
        results = model.embed([EmbedRequest(str(n), text) for n, text in enumerate(texts)])
    finally:
        model.close()
    return vectors_of(results, unit=True)
