"""What the tests with TRL's trainers share: reading a dataset, and training two steps on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STEPS = 2


def load(folder: Path, config: str, cache: Path, split: str = "train") -> Any:
    """A split of a dataset folder, as a user loads it."""
    from datasets import load_dataset

    return load_dataset(str(folder), config, split=split, cache_dir=str(cache))


def arguments(folder: Path) -> dict[str, Any]:
    """Settings of any of TRL's trainers."""
    return {
        "output_dir": str(folder / "trained"),
        "max_steps": STEPS,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-5,
        "max_length": 256,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "disable_tqdm": True,
    }


def losses(trainer: Any) -> list[float]:
    """Train, and return the loss of each step."""
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def model_and_tokenizer(path: Path) -> tuple[Any, Any]:
    """In float32, so that a policy and its reference are equal to the last digit."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(path)
