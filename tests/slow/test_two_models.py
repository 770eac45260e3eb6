"""Stages with two models, which take turns in one worker; and the one-model contrast."""

import json
from typing import Any

import pytest

from pipeline.folders import LocalFolder
from pipeline.runtime.store import StepFolder
from tests.support import run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RECIPE = """
name: two
seed: 5
models:
  policy: {engine: vllm, model: smollm2-135m-instruct, max_model_len: 1024}
  reference: {engine: transformers, model: smollm2-135m-instruct, max_model_len: 1024}
stages:
  - {stage: magpie, model: policy, rows: 4, max_tokens: 64}
  - {stage: respond, model: policy, n: 2, max_tokens: 24}
  - {stage: logit, name: against, model: policy, reference: reference, mode: reference}
  - {stage: logit, name: principle, model: policy, mode: contrast, principle: helpful}
  - {stage: pair, labeller: principle}
export: [{config: dpo}]
placement: {workers: 1, models: {policy: {kv_cache_mb: 256}}}
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.yaml").write_text(RECIPE)
    run_recipe(folder / "two.yaml", folder / "out")
    (step,) = (folder / "out").glob("work/*-principle-*")
    key = json.loads((step / "manifest.json").read_text())["key"]
    (table,) = StepFolder(LocalFolder(step), key).tables()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def rewards(rows: list[dict[str, Any]], labeller: str) -> list[dict[str, Any]]:
    return [r for row in rows for r in row["implicit_rewards"] if r["labeller"] == labeller]


def test_the_same_weights_give_no_implicit_reward_whatever_the_engine(
    rows: list[dict[str, Any]],
) -> None:
    found = rewards(rows, "against")
    assert len(found) == 8
    for reward in found:
        assert reward["policy_n_tokens"] == reward["reference_n_tokens"]
        difference = reward["policy_logprob_sum"] - reward["reference_logprob_sum"]
        assert abs(difference) < 1e-3 * reward["policy_n_tokens"]


def test_a_principle_and_its_opposite_differ(rows: list[dict[str, Any]]) -> None:
    found = rewards(rows, "principle")
    assert len(found) == 8
    assert all(r["policy_logprob_sum"] != r["reference_logprob_sum"] for r in found)
    scores = {s["response_id"]: s["score"] for row in rows for s in row["scores"]}
    for reward in found:
        difference = reward["policy_logprob_sum"] - reward["reference_logprob_sum"]
        assert scores[reward["response_id"]] == pytest.approx(0.1 * difference)
