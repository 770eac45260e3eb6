"""The recipe spa.yaml as it stands, and its later rounds with a policy and where it came from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.folders import LocalFolder
from pipeline.runtime.store import StepFolder
from tests.support import QUICKSTART, run_recipe
from tests.tiny_models import save_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SPA = QUICKSTART.with_name("spa.yaml")
LATER = """
name: later
seed: 42
models:
  policy: {{engine: transformers, model: {policy}, dtype: float32}}
  start: {{engine: transformers, model: {start}, dtype: float32}}
  stronger:
    {{engine: transformers, model: {policy}, dtype: float32, extrapolate_from: {start}}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl, prompt: prompt}}
  - {{stage: respond, model: policy, n: 2, temperature: 0.7, max_tokens: 12}}
  - {{stage: logit, model: policy, reference: start}}
  - {{stage: pair}}
  - {{stage: self_refine, model: stronger, reference: start, noisy_share: 0.25}}
export: [{{config: dpo}}]
limits: {{max_failed_share: 1.0}}
placement: {{workers: 0}}
"""


def rows_of(out: Path, step: str) -> list[dict[str, Any]]:
    (folder,) = out.glob(f"work/*-{step}-*")
    key = json.loads((folder / "manifest.json").read_text())["key"]
    tables = StepFolder(LocalFolder(folder), key).tables()
    return [row for table in tables for row in table.to_pylist()]


def test_the_recipe_runs_as_it_stands(tmp_path: Path) -> None:
    small = ("placement.workers=0", "stages[1].max_tokens=24", "stages[4].noisy_share=0.5")
    options = [word for setting in small for word in ("--set", setting)]
    summary, _ = run_recipe(SPA, tmp_path, *options, "--limit", "4")
    assert summary["rows"]["dpo"] > 0
    written = pq.read_table(tmp_path / "dataset" / "dpo").column("label_smoothing").to_pylist()
    pairs = rows_of(tmp_path, "self_refine")
    assert sorted(written) == sorted(pair["label_smoothing"] for pair in pairs)
    assert sum(pair["is_noisy"] for pair in pairs) == len(pairs) // 2
    for pair in pairs:
        assert pair["confidence"] == pair["p_chosen"] >= 0.5
        assert pair["label_smoothing"] == (0.1 if pair["is_noisy"] else 0.0)


def test_a_later_round_asks_the_models(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("policy", "start")}
    for seed, folder in enumerate(folders.values()):
        save_llama(folder, seed=seed)
    prompts = [json.dumps({"prompt": f"w{i} w{i + 1} w{i + 2}"}) for i in range(12)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(prompts))
    (tmp_path / "later.yaml").write_text(LATER.format(**folders))
    summary, _ = run_recipe(tmp_path / "later.yaml", tmp_path / "out")
    labelled = rows_of(tmp_path / "out", "logit")
    reused = [row for row in labelled if any(map(was_reused, row["responses"]))]
    steps = {step["step"]: step for step in summary["steps"]}
    assert reused
    assert steps["logit"]["usage"]["requests"] < 2 * 24, "what was sampled is not asked again"
    pairs = rows_of(tmp_path / "out", "self_refine")
    assert len(pairs) >= 8
    for pair in pairs:
        assert pair["p_chosen"] == pytest.approx(1 / (1 + math.exp(-pair["margin"])))
    assert any(abs(pair["confidence"] - pair["p_chosen"]) > 0.01 for pair in pairs)
    noisy = sorted(pairs, key=lambda pair: pair["confidence"])[: len(pairs) // 4]
    assert {p["row_id"] for p in pairs if p["is_noisy"]} == {p["row_id"] for p in noisy}


def was_reused(response: dict[str, Any]) -> bool:
    return response["text_logprob_sum"] is not None
