"""TRL's own trainers step on the files of layout `trl`, in both forms and loaded as printed.

The model is small and random, the rows those of `every_shape`: with system prompts and several
turns where the form has room for them.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.layouts.choose import Wish
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.dataset.layouts.write import write_export
from tests.pipeline.dataset.layouts.samples import every_shape
from tests.slow.trl_runs import arguments, losses, model_and_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FORMS = ("conversational", "standard")
WINDOW = {"max_length": 64}
NOT_A_PREFIX = "is not a prefix of the tokenized prompt+completion"
"""How TRL warns that the tokens of a prompt are not the first of prompt and answer."""


@pytest.fixture
def tiny(smol_path: Path, tmp_path: Path) -> Path:
    """A random model behind the bundled one's tokenizer, whose template renders any turns."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 16}
    config = AutoConfig.from_pretrained(smol_path, **sizes, **heads)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "tiny")
    AutoTokenizer.from_pretrained(smol_path).save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def exported(folder: Path, form: str, config: str, task: str) -> Any:
    """The rows of an export, as the printed lines load them."""
    from datasets import load_dataset

    dataset = every_shape(folder / "run", single_turn=form == "standard")
    wish = Wish(config, task=task, form=form)  # type: ignore[arg-type]
    (made,) = write_export(dataset, LAYOUTS["trl"], [wish], folder / "export")
    rows = load_dataset(made.folder, cache_dir=str(folder / "cache"))
    assert {split: len(rows[split]) for split in rows} == dict(made.rows)
    assert rows["train"].column_names == list(made.columns)
    return rows


@pytest.mark.parametrize("form", FORMS)
def test_dpo(form: str, tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from trl import DPOConfig, DPOTrainer

    rows = exported(tmp_path, form, "dpo", "dpo")
    model, tokenizer = model_and_tokenizer(tiny)
    with caplog.at_level(logging.WARNING):
        trainer = DPOTrainer(
            model=model,
            args=DPOConfig(**arguments(tmp_path) | WINDOW),
            train_dataset=rows["train"],
            eval_dataset=rows["test"],
            processing_class=tokenizer,
        )
    assert NOT_A_PREFIX not in caplog.text
    assert len(trainer.train_dataset) == len(rows["train"])
    first, second = losses(trainer)
    assert first == pytest.approx(math.log(2), abs=1e-3)
    assert second != pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_kto(form: str, tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from trl import KTOConfig, KTOTrainer

    rows = exported(tmp_path, form, "kto", "kto")
    assert rows["train"].features["label"].dtype == "bool"
    model, tokenizer = model_and_tokenizer(tiny)
    with caplog.at_level(logging.WARNING):
        trainer = KTOTrainer(
            model=model,
            args=KTOConfig(**arguments(tmp_path) | WINDOW, train_sampling_strategy="sequential"),
            train_dataset=rows["train"],
            processing_class=tokenizer,
        )
    assert NOT_A_PREFIX not in caplog.text
    assert len(trainer.train_dataset) == len(rows["train"])
    first, second = losses(trainer)
    assert math.isfinite(first) and math.isfinite(second) and first != second


@pytest.mark.parametrize("form", FORMS)
def test_reward(form: str, tiny: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    rows = exported(tmp_path, form, "dpo", "reward")
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny, num_labels=1, dtype=torch.float32
    )
    torch.nn.init.zeros_(model.score.weight)
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(**arguments(tmp_path) | WINDOW | {"learning_rate": 1e-3}),
        train_dataset=rows["train"],
        processing_class=AutoTokenizer.from_pretrained(tiny),
    )
    assert len(trainer.train_dataset) == len(rows["train"])
    first, second = losses(trainer)
    # All rewards are 0, and every margin of these rows is 2.5: -log sigmoid(0 - 0 - 2.5).
    assert first == pytest.approx(math.log1p(math.exp(2.5)), abs=1e-3)
    assert second != pytest.approx(first, abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_sft(form: str, tiny: Path, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    rows = exported(tmp_path, form, "sft", "sft")
    model, tokenizer = model_and_tokenizer(tiny)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**arguments(tmp_path) | WINDOW),
        train_dataset=rows["train"],
        processing_class=tokenizer,
    )
    first, second = losses(trainer)
    assert math.isfinite(first) and math.isfinite(second) and first != second


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("config", ["dpo", "kto", "ranking", "sft"])
def test_prompts_alone(config: str, form: str, tmp_path: Path) -> None:
    """As GRPO, RLOO and online DPO read them: one column, strings or messages."""
    from trl import is_conversational

    rows = exported(tmp_path, form, config, "prompts")
    for split in rows:
        assert rows[split].column_names == ["prompt"]
        assert len({str(prompt) for prompt in rows[split]["prompt"]}) == len(rows[split])
        for row in rows[split]:
            assert is_conversational(row) == (form == "conversational")
            last = row["prompt"][-1]
            assert last == "\n" if form == "standard" else last["role"] == "user"


def test_two_steps_of_grpo_on_prompts(tiny: Path, tmp_path: Path) -> None:
    from trl import GRPOConfig, GRPOTrainer

    rows = exported(tmp_path, "conversational", "dpo", "prompts")
    settings = {k: v for k, v in arguments(tmp_path).items() if k != "max_length"}
    trainer = GRPOTrainer(
        model=str(tiny),
        reward_funcs=lambda completions, **rest: [float(len(str(c)) % 7) for c in completions],
        args=GRPOConfig(**settings, num_generations=2, max_completion_length=4),
        train_dataset=rows["train"],
    )
    assert all(math.isfinite(loss) for loss in losses(trainer))
