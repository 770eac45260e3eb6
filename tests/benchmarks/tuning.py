"""Fine-tunes a small causal model on texts, and tells the loss on held-out texts as it learns."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and on how much at a time.

    Attributes:
        block: tokens of a training sequence; texts are joined and cut, so that a step costs the
            same whatever the texts' lengths.
        every: steps between two looks at the held-out texts.
        seed: of the order of the texts.
    """

    steps: int = 60
    batch: int = 2
    block: int = 128
    every: int = 15
    learning_rate: float = 2e-5
    device: str = "cpu"
    seed: int = 0


def loss_curve(
    folder: Path, texts: Sequence[str], held_out: Sequence[str], schedule: Schedule
) -> list[tuple[int, float]]:
    """(step, mean loss per held-out token in nats), from before the first step to the last.

    The model is read anew from `folder`, weights as float32; AdamW without weight decay, the
    learning rate constant after a tenth of the steps.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(schedule.seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(schedule.device)
    unseen = [tokenizer(text).input_ids[: 2 * schedule.block] for text in held_out]
    batches = _batches(tokenizer, texts, schedule)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=0.0)
    curve = [(0, _loss(model, unseen))]
    for step, batch in enumerate(batches, 1):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * min(1.0, step / max(1, schedule.steps // 10))
        ids = torch.tensor(batch, device=schedule.device)
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if step % schedule.every == 0 or step == schedule.steps:
            curve.append((step, _loss(model, unseen)))
    return curve


def _batches(tokenizer: Any, texts: Sequence[str], schedule: Schedule) -> list[list[list[int]]]:
    """Blocks of the joined texts, shuffled anew for each time through them."""
    dice = random.Random(schedule.seed)
    wanted = schedule.steps * schedule.batch
    blocks: list[list[int]] = []
    while len(blocks) < wanted:
        stream: list[int] = []
        for text in dice.sample(list(texts), len(texts)):
            stream += [*tokenizer(text).input_ids, tokenizer.eos_token_id]
        starts = range(0, len(stream) - schedule.block + 1, schedule.block)
        epoch = [stream[start : start + schedule.block] for start in starts]
        if not epoch:
            raise ValueError(f"{len(texts)} texts have fewer than {schedule.block} tokens in all")
        dice.shuffle(epoch)
        blocks += epoch
    return [blocks[i : i + schedule.batch] for i in range(0, wanted, schedule.batch)]


def _loss(model: Any, unseen: Sequence[list[int]]) -> float:
    import torch

    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for ids in unseen:
            row = torch.tensor([ids], device=model.device)
            total += float(model(input_ids=row, labels=row).loss) * (len(ids) - 1)
            count += len(ids) - 1
    model.train()
    return total / count
