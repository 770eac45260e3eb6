"""OpenRLHF (0.11): message lists with `--data.apply_chat_template`, else strings.

With a prompt key it concatenates prompt and answer, so all three are lists or all three strings.
Its trainers for KTO, PRM and distillation are gone since March 2026.
"""

from __future__ import annotations

from pipeline.dataset.layouts.record import Kind, Layout, Made, Row, View
from pipeline.dataset.layouts.strings import (
    CHOSEN_TEXT,
    COMPLETION_TEXT,
    PROMPT_TEXT,
    REJECTED_TEXT,
)
from pipeline.dataset.layouts.turns import answer_of, only_user
from schemas.columns import MARGIN
from schemas.layouts import CHOSEN_TURN, COMPLETION, PROMPT, REJECTED_TURN

_FORM = {
    "conversational": "--data.apply_chat_template",
    "standard": "--data.input_template $'User: {}\\nAssistant: '",
}
_SCRIPTS: dict[Kind, tuple[str, ...]] = {
    "pairs": (
        "--data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected",
        "train_dpo",
        "train_rm",
    ),
    "answers": ("--data.input_key prompt --data.output_key completion", "train_sft"),
}
"""By kind, the keys of the columns, and the scripts that take them."""


def _pair(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "chosen", "rejected", "margin")}


def _string_pair(row: Row) -> Row:
    sides = {side: answer_of(row, side) for side in ("chosen", "rejected")}
    return {"prompt": only_user(row["prompt"]), **sides, "margin": row["margin"]}


def _answer(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "completion")}


def _string_answer(row: Row) -> Row:
    return {"prompt": only_user(row["prompt"]), "completion": answer_of(row, "completion")}


def _how(made: Made) -> str:
    keys, *scripts = _SCRIPTS[made.view.kind]
    data = f"--data.dataset {made.folder} --data.dataset_split {next(iter(made.rows))}"
    return "\n".join(
        f"python -m openrlhf.cli.{script} {data} \\\n  {keys} {_FORM[made.view.form]}"
        for script in scripts
    )


LAYOUT = Layout(
    name="openrlhf",
    consumer="OpenRLHF",
    files="jsonl",
    views=(
        View(
            "pairs",
            ("dpo", "reward"),
            "conversational",
            (PROMPT, CHOSEN_TURN, REJECTED_TURN, MARGIN),
            _pair,
            reads=(MARGIN,),
        ),
        View(
            "pairs",
            ("dpo", "reward"),
            "standard",
            (PROMPT_TEXT, CHOSEN_TEXT, REJECTED_TEXT, MARGIN),
            _string_pair,
            reads=(MARGIN,),
        ),
        View("answers", ("sft",), "conversational", (PROMPT, COMPLETION), _answer),
        View("answers", ("sft",), "standard", (PROMPT_TEXT, COMPLETION_TEXT), _string_answer),
    ),
    how=_how,
)
