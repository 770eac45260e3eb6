"""What prefmill writes is read by `datasets` and trained on by TRL, two steps on a CPU."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.balance import refuse_one_class
from pipeline.dataset.write import ConfigRows
from schemas.batch import Batch
from schemas.errors import ExportRefused
from schemas.stage import Stage
from stages import export_dpo, export_kto
from tests.preference_rows import batch_for, pair_row
from tests.slow.trl_runs import arguments, load, losses, model_and_tokenizer
from tests.support import FakeContext, run_pass

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


def exported(stage: Stage[Any], batch: Batch) -> Batch:
    config = stage.config()
    done = stage.run(batch, config, FakeContext(stage=stage.name))
    return run_pass(stage, config, [done.table])[0][0] if stage.dataset_pass else done


@pytest.mark.parametrize("config", ["dpo", "kto"])
def test_datasets_reads_the_folder_as_the_card_says(
    quickstart_dataset: Path, config: str, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq
    from datasets import get_dataset_config_names

    assert get_dataset_config_names(str(quickstart_dataset)) == ["dpo", "kto"]
    for split in ("train", "test"):
        rows = load(quickstart_dataset, config, tmp_path, split)
        (shard,) = (quickstart_dataset / config).glob(f"{split}-*")
        assert rows.to_list() == pq.read_table(shard).to_pylist()
        assert len(rows) > 0


def test_kto_rows_of_one_prompt_are_never_neighbours(
    quickstart_dataset: Path, tmp_path: Path
) -> None:
    prompts = load(quickstart_dataset, "kto", tmp_path)["prompt"]
    assert all(a != b for a, b in pairwise(prompts))


def test_dpo_trains_on_the_files(quickstart_dataset: Path, smol_path: Path, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    model, tokenizer = model_and_tokenizer(smol_path)
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(**arguments(tmp_path)),
        train_dataset=load(quickstart_dataset, "dpo", tmp_path),
        processing_class=tokenizer,
    )
    first, second = losses(trainer)
    # Policy and reference are equal at the first step: log 2. The second has learnt something.
    assert first == pytest.approx(0.6931, abs=1e-3)
    assert second != pytest.approx(0.693147, abs=1e-6)


def test_kto_trains_on_the_files(quickstart_dataset: Path, smol_path: Path, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    model, tokenizer = model_and_tokenizer(smol_path)
    trainer = KTOTrainer(
        model=model,
        args=KTOConfig(**arguments(tmp_path), train_sampling_strategy="sequential"),
        train_dataset=load(quickstart_dataset, "kto", tmp_path),
        processing_class=tokenizer,
    )
    first, second = losses(trainer)
    assert first == pytest.approx(0.5, abs=1e-3)
    assert second != pytest.approx(0.5, abs=1e-6)


def test_dpo_takes_equal_answers_silently_and_prefmill_does_not(
    smol_path: Path, tmp_path: Path
) -> None:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    turn = [{"role": "assistant", "content": "The same."}]
    row = {"prompt": [{"role": "user", "content": "Which?"}], "chosen": turn, "rejected": turn}
    model, tokenizer = model_and_tokenizer(smol_path)
    trainer = DPOTrainer(
        model=model,
        args=DPOConfig(**arguments(tmp_path)),
        train_dataset=Dataset.from_list([row] * 4),
        processing_class=tokenizer,
    )
    assert losses(trainer) == pytest.approx([0.6931, 0.6931], abs=1e-4)
    with pytest.raises(ExportRefused, match="the same text"):
        exported(
            export_dpo.STAGE,
            batch_for(export_dpo.STAGE, [pair_row("r", "The same.", "The same.")]),
        )


@pytest.mark.parametrize("stage", [export_dpo.STAGE, export_kto.STAGE], ids=["dpo", "kto"])
def test_empty_answers_are_refused(stage: Stage[Any]) -> None:
    """TRL's trainers take an empty answer and train on its end-of-turn token alone."""
    with pytest.raises(ExportRefused, match="is empty"):
        exported(stage, batch_for(stage, [pair_row("r", "An answer.", "")]))


def test_one_class_is_refused() -> None:
    """TRL's KTO trains on true labels alone, and its loss stays 0.5."""
    stage = export_kto.STAGE
    rows = exported(stage, batch_for(stage, [pair_row("r", "Good.", "Bad.")])).table
    only_true = rows.filter(rows.column("label"))
    with pytest.raises(ExportRefused, match="1 desirable and 0 undesirable"):
        refuse_one_class("kto", ConfigRows(stage.writes, lambda: [only_true]), None)
