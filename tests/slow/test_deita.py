"""deita and ISA with real models: SmolLM2 grades, MiniLM says which rows are alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.folders import LocalFolder
from pipeline.runtime.store import StepFolder
from tests.support import run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RECIPE = """
name: best
seed: 4
models:
  judge: {model: smollm2-135m-instruct}
  encoder: {model: all-minilm-l6-v2, kind: embedding}
stages:
  - {stage: load_pairs, path: pairs.jsonl}
  - {stage: embed, model: encoder, text: [prompt, chosen]}
  - {stage: embed, name: embed_rejected, model: encoder, text: [prompt, rejected],
     column: embedding_rejected}
  - {stage: isa, keep: 7, pair: max}
  - {stage: deita, model: judge, keep: 4}
export: [{config: dpo}]
limits: {max_failed_share: 1.0}
placement: {workers: 0, models: {judge: {kv_cache_mb: 512}}}
"""

PAIRS = (
    ("Name three primary colours.", "Red, yellow and blue.", "Colours are nice."),
    ("Name the three primary colours.", "Red, yellow, and blue.", "I like green."),
    ("How do I boil an egg?", "Put it in boiling water for eight minutes.", "Use a pan."),
    ("Write a sort in Python.", "def sort(xs):\n    return sorted(xs)", "Python is a snake."),
    ("Why is the sky blue?", "Air scatters blue light more than red light.", "It just is."),
    ("Translate 'cat' to French.", "It is 'chat'.", "Le dog."),
    ("What is 17 times 3?", "17 times 3 is 51.", "It is 41."),
    ("Who wrote Hamlet?", "William Shakespeare wrote it.", "A poet."),
)


def rows_of(out: Path, step: str) -> list[dict[str, Any]]:
    (folder,) = out.glob(f"work/*-{step}-*")
    key = json.loads((folder / "manifest.json").read_text())["key"]
    tables = StepFolder(LocalFolder(folder), key).tables()
    return [row for table in tables for row in table.to_pylist()]


def test_the_best_rows_that_stand_out_and_are_unlike_each_other(tmp_path: Path) -> None:
    records = [dict(zip(("prompt", "chosen", "rejected"), pair, strict=True)) for pair in PAIRS]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "best.yaml").write_text(RECIPE)
    out = tmp_path / "out"
    summary, _ = run_recipe(tmp_path / "best.yaml", out)
    assert summary["rows"]["dpo"] == 4
    stood_out = rows_of(out, "isa")
    assert sorted(row["isa_rank"] for row in stood_out) == list(range(1, 8))
    kept = rows_of(out, "deita")
    for row in kept:
        (complexity,), (quality,) = row["complexity_scores"], row["quality_scores"]
        assert 1 < complexity < 6 and 1 < quality < 6
        assert row["deita_score"] == pytest.approx(complexity * quality)
    assert len({row["deita_score"] for row in kept}) == 4
    colours = [row for row in kept if "primary colours" in row["messages"][-1]["content"]]
    assert len(colours) <= 1
    assert pq.read_table(out / "dataset" / "dpo").num_rows == 4
