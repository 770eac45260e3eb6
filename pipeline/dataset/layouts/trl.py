"""TRL (1.16, `docs/source/dataset_formats.md`): explicit prompts, whole conversations for rewards.

A string prompt never stands beside lists: TRL then extracts nothing and fails. `margin` is read by
the reward trainer alone, which subtracts it from the gap of its rewards.
"""

from __future__ import annotations

from pipeline.dataset.layouts.record import KINDS, Layout, Made, Row, View
from pipeline.dataset.layouts.strings import (
    CHOSEN_TEXT,
    COMPLETION_TEXT,
    PROMPT_TEXT,
    REJECTED_TEXT,
)
from pipeline.dataset.layouts.turns import conversation, string_answer, string_prompt
from schemas.columns import MARGIN
from schemas.layouts import (
    CHOSEN_CONVERSATION,
    CHOSEN_TURN,
    COMPLETION,
    LABEL,
    PROMPT,
    REJECTED_CONVERSATION,
    REJECTED_TURN,
)

_TRAINERS = {
    "dpo": ("DPOTrainer", "DPOConfig"),
    "kto": ("KTOTrainer", "KTOConfig"),
    "reward": ("RewardTrainer", "RewardConfig"),
    "sft": ("SFTTrainer", "SFTConfig"),
    "prompts": ("GRPOTrainer", "GRPOConfig"),
}


def _pair(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "chosen", "rejected")}


def _string_pair(row: Row) -> Row:
    return {
        "prompt": string_prompt(row["prompt"]),
        "chosen": string_answer(row, "chosen"),
        "rejected": string_answer(row, "rejected"),
    }


def _reward(row: Row) -> Row:
    sides = {side: conversation(row, side) for side in ("chosen", "rejected")}
    return {**sides, "margin": row["margin"]}


def _string_reward(row: Row) -> Row:
    strings = _string_pair(row)
    prompt = strings.pop("prompt")
    return {**{side: prompt + text for side, text in strings.items()}, "margin": row["margin"]}


def _labelled(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "completion", "label")}


def _string_labelled(row: Row) -> Row:
    return {**_string_answer(row), "label": row["label"]}


def _answer(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "completion")}


def _string_answer(row: Row) -> Row:
    return {
        "prompt": string_prompt(row["prompt"]),
        "completion": string_answer(row, "completion"),
    }


def _prompt(row: Row) -> Row:
    return {"prompt": row["prompt"]}


def _string_prompt(row: Row) -> Row:
    return {"prompt": string_prompt(row["prompt"])}


def _how(made: Made) -> str:
    trainer, settings = _TRAINERS[made.view.tasks[0]]
    return f"""\
from datasets import load_dataset
from trl import {settings}, {trainer}

rows = load_dataset("{made.folder}")  # {", ".join(made.rows)}
{trainer}(..., args={settings}(...), train_dataset=rows["{next(iter(made.rows))}"])"""


def _prompts() -> tuple[View, ...]:
    conversational = (
        View(kind, ("prompts",), "conversational", (PROMPT,), _prompt, once=True) for kind in KINDS
    )
    standard = (
        View(kind, ("prompts",), "standard", (PROMPT_TEXT,), _string_prompt, once=True)
        for kind in KINDS
    )
    return (*conversational, *standard)


LAYOUT = Layout(
    name="trl",
    consumer="TRL",
    files="parquet",
    views=(
        View("pairs", ("dpo",), "conversational", (PROMPT, CHOSEN_TURN, REJECTED_TURN), _pair),
        View(
            "pairs", ("dpo",), "standard", (PROMPT_TEXT, CHOSEN_TEXT, REJECTED_TEXT), _string_pair
        ),
        View(
            "pairs",
            ("reward",),
            "conversational",
            (CHOSEN_CONVERSATION, REJECTED_CONVERSATION, MARGIN),
            _reward,
            reads=(MARGIN,),
        ),
        View(
            "pairs",
            ("reward",),
            "standard",
            (CHOSEN_TEXT, REJECTED_TEXT, MARGIN),
            _string_reward,
            reads=(MARGIN,),
        ),
        View(
            "labelled answers", ("kto",), "conversational", (PROMPT, COMPLETION, LABEL), _labelled
        ),
        View(
            "labelled answers",
            ("kto",),
            "standard",
            (PROMPT_TEXT, COMPLETION_TEXT, LABEL),
            _string_labelled,
        ),
        View("answers", ("sft",), "conversational", (PROMPT, COMPLETION), _answer),
        View("answers", ("sft",), "standard", (PROMPT_TEXT, COMPLETION_TEXT), _string_answer),
        *_prompts(),
    ),
    how=_how,
)
