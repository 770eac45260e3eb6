"""Every export of a run is read by `datasets`, and trained on by the trainer it is meant for.

Rows come from whole runs with the scripted model, so that there are enough of them for little;
trainers are TRL's, with a small model behind the bundled one's tokenizer. Lists and negatives have
no trainer in TRL: what their papers ask of a row is checked instead.
"""

from __future__ import annotations

import logging
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.slow.trl_runs import arguments, load, losses, model_and_tokenizer
from tests.support import run_recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HEAD = """\
name: trained-on
seed: 7
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 12}
  - {stage: respond, model: policy, n: 4}
  - {stage: judge, model: policy, mode: pairwise}
"""
RECIPES = {
    "pairs": """\
  - {stage: consensus, labellers: [judge], mode: win_matrix}
  - {stage: pair, strategy: sppo, labeller: consensus}
  - {stage: self_refine, noisy_share: 0.5, smoothing: 0.2}
export: [{config: dpo}, {config: kto}, {config: sppo, layout: sppo}]
""",
    "all_pairs": """\
  - {stage: pair, strategy: all_pairs}
export: [{config: kto}]
""",
    "unpaired": """\
  - {stage: unpair, desirable_from: 0.6, undesirable_to: 0.35}
export: [{config: unpaired, layout: trl}]
""",
    "ranking": """\
  - {stage: rank}
export: [{config: ranking, layout: lists}]
""",
    "negatives": """\
  - {stage: negatives}
export: [{config: negatives, layout: d2o}]
""",
}
"""By name, what follows the labels, and what is exported."""
WITHOUT_PREFERENCES = {"lineage", "sft", "signatures"}
"""Tried in the tests of `export_lineage`, in `test_given_data.py` and in `test_releases.py`."""


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The dataset folder of a run of each recipe."""
    folder = tmp_path_factory.mktemp("exports")
    for name, tail in RECIPES.items():
        recipe = folder / f"{name}.yaml"
        recipe.write_text(f"{HEAD}{tail}placement: {{workers: 0}}\n")
        run_recipe(recipe, folder / name)
    return {name: folder / name / "dataset" for name in RECIPES}


@pytest.fixture(scope="module")
def small_path(smol_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, a hundredth of the bundled one in size."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("small")
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 16}
    config = AutoConfig.from_pretrained(smol_path, **sizes, **heads)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(smol_path).save_pretrained(folder)
    return folder


def test_every_export_stage_is_tried() -> None:
    stages = Path(__file__).parents[2] / "stages"
    exports = {path.stem.removeprefix("export_") for path in stages.glob("export_*.py")}
    tried = set(re.findall(r"config: (\w+)", "".join(RECIPES.values())))
    assert exports == tried | WITHOUT_PREFERENCES


def test_dpo_with_softened_labels(
    datasets: dict[str, Path], small_path: Path, tmp_path: Path
) -> None:
    """TRL has one smoothing for all pairs: the mean of the column is what the rows ask for."""
    from trl import DPOConfig, DPOTrainer

    rows = load(datasets["pairs"], "dpo", tmp_path)
    smoothing = sum(rows["label_smoothing"]) / len(rows)
    assert 0 < smoothing < 0.2
    model, tokenizer = model_and_tokenizer(small_path)
    settings = {"loss_type": "robust", "label_smoothing": smoothing}
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(**arguments(tmp_path), **settings),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    first, second = losses(trainer)
    # ((1 - s) log 2 - s log 2) / (1 - 2 s): where policy and reference are equal, s cancels out.
    assert first == pytest.approx(math.log(2), abs=1e-3)
    assert second != pytest.approx(math.log(2), abs=1e-6)


def test_sppo_by_trl(datasets: dict[str, Path], small_path: Path, tmp_path: Path) -> None:
    """TRL finds the prompt, which stands in both conversations, by itself."""
    from trl import DPOConfig, DPOTrainer

    rows = load(datasets["pairs"], "sppo", tmp_path)
    model, tokenizer = model_and_tokenizer(small_path)
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(**arguments(tmp_path), loss_type="sppo_hard", beta=0.5),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    prompts = [tokenizer.decode(ids) for ids in trainer.train_dataset["prompt_ids"]]
    for prompt, row in zip(prompts, rows, strict=True):
        assert row["chosen"][-2]["content"] in prompt
        assert row["chosen"][-1]["content"].strip() not in prompt
    first, second = losses(trainer)
    # (0 - 0.5 / beta)^2 for either answer.
    assert first == pytest.approx(2 * (0.5 / 0.5) ** 2, abs=1e-3)
    assert second != pytest.approx(2.0, abs=1e-6)


def test_sppo_by_its_own_trainer(
    datasets: dict[str, Path], small_path: Path, tmp_path: Path
) -> None:
    """uclaml/SPPO names no config, and cuts the rendered prompt off the rendered conversations."""
    from datasets import load_dataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(small_path)
    rows = load_dataset(str(datasets["pairs"] / "sppo"), split="train", cache_dir=str(tmp_path))
    assert rows.to_list() == load(datasets["pairs"], "sppo", tmp_path).to_list()
    for row in rows:
        prompt = tokenizer.apply_chat_template(row["chosen"][:-1], tokenize=False)
        sides = [tokenizer.apply_chat_template(row[s], tokenize=False) for s in _SIDES]
        assert all(side.startswith(prompt) for side in sides)
        assert sides[0][len(prompt) :] != sides[1][len(prompt) :]
        assert 1 > row["chosen_probs_win"] >= 0.5 >= row["chosen_probs_lose"] > 0
        assert 1 > row["chosen_probs"] > 0.5


_SIDES = ("chosen", "rejected")


def test_a_reward_model_with_margins(
    datasets: dict[str, Path], small_path: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    rows = load(datasets["pairs"], "dpo", tmp_path)
    assert min(rows["margin"]) > 0
    model = AutoModelForSequenceClassification.from_pretrained(
        small_path, num_labels=1, dtype=torch.float32
    )
    torch.nn.init.zeros_(model.score.weight)
    settings = arguments(tmp_path) | {"per_device_train_batch_size": len(rows)}
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(**settings | {"learning_rate": 1e-3}),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(small_path),
    )
    first, second = losses(trainer)
    # All rewards are 0: -log sigmoid(0 - 0 - margin).
    expected = sum(math.log1p(math.exp(margin)) for margin in rows["margin"]) / len(rows)
    assert first == pytest.approx(expected, abs=1e-3)
    assert second != pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("run", "config", "loss_type"),
    [
        ("pairs", "kto", "kto"),
        ("all_pairs", "kto", "kto"),
        ("unpaired", "unpaired", "kto"),
        ("unpaired", "unpaired", "apo_zero_unpaired"),
    ],
)
def test_kto_with_the_weights_that_the_card_advises(
    run: str,
    config: str,
    loss_type: str,
    datasets: dict[str, Path],
    small_path: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from trl import KTOConfig, KTOTrainer

    rows = load(datasets[run], config, tmp_path)
    assert all(one != other for one, other in pairwise(map(str, rows["prompt"])))
    desirable = sum(rows["label"])
    card = (datasets[run] / "README.md").read_text(encoding="utf-8")
    assert f"{desirable} desirable and {len(rows) - desirable} undesirable answers" in card
    advice = re.search(r"`desirable_weight` from (\d+\.\d+) to (\d+\.\d+)", card)
    assert advice is not None
    low, high = map(float, advice.groups())
    model, tokenizer = model_and_tokenizer(small_path)

    def trainer(weight: float) -> Any:
        settings = {"loss_type": loss_type, "desirable_weight": weight}
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            return KTOTrainer(
                model=model,
                args=KTOConfig(
                    **arguments(tmp_path), **settings, train_sampling_strategy="sequential"
                ),
                train_dataset=rows,
                processing_class=tokenizer,
            )

    if run == "unpaired":
        assert desirable * 2 != len(rows), "the case in which TRL gives advice"
        trainer(high * 2)
        assert f"desirable_weight in [{low}, {high}]" in caplog.text
    for weight in (low, high):
        advised = trainer(weight)
        assert "desirable_weight" not in caplog.text
    first, second = losses(advised)
    assert math.isfinite(first) and math.isfinite(second) and first != second


def test_lists_are_what_listwise_losses_need(datasets: dict[str, Path], tmp_path: Path) -> None:
    """PRO divides by the gaps between scores, LiPO weighs by them."""
    rows = load(datasets["ranking"], "ranking", tmp_path)
    assert len(rows) > 0
    for row in rows:
        assert len(row["completions"]) == len(row["scores"]) == len(row["response_ids"]) >= 2
        gaps = [better - worse for better, worse in pairwise(row["scores"])]
        assert min(gaps) > 0 and all(math.isfinite(1 / gap) for gap in gaps)
        assert len(set(row["completions"])) == len(row["completions"])
        assert row["prompt"][-1]["role"] == "user"


def test_negatives_are_what_d2o_needs(datasets: dict[str, Path], tmp_path: Path) -> None:
    """A rejected answer, and the model's own samples, none of which is that answer."""
    rows = load(datasets["negatives"], "negatives", tmp_path)
    assert len(rows) > 0
    for row in rows:
        assert "chosen" not in row
        assert [turn["role"] for turn in row["rejected"]] == ["assistant"]
        assert 1 <= len(row["self_samples"]) <= 11
        assert row["rejected"] not in row["self_samples"]
        assert all(turn["role"] == "assistant" for (turn,) in row["self_samples"])
