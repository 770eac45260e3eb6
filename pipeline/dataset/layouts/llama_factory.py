"""LLaMA-Factory (0.9.5, `data/README.md`): ShareGPT's turns, or Alpaca's strings, and
`dataset_info.json`.

It skips, with a warning only, conversations whose turns do not alternate strictly; such rows are
refused here. Its formatting `openai` is not used: that adds words of its own to the system prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.dataset.layouts.record import Layout, Made, Row, View
from pipeline.dataset.layouts.sharegpt import (
    CHOSEN_SIDE,
    CONVERSATIONS,
    REJECTED_SIDE,
    answer_row,
    pair_of,
)
from pipeline.dataset.layouts.strings import CHOSEN_TEXT, REJECTED_TEXT, SYSTEM_TEXT
from pipeline.dataset.layouts.turns import alternating, answer_of
from schemas.columns import Column
from schemas.types import BOOL, STRING, ListOf

_INSTRUCTION = Column("instruction", STRING, "the last user turn")
_INPUT = Column("input", STRING, "always empty: `instruction` has it all")
_OUTPUT = Column("output", STRING, "the answer")
_HISTORY = Column("history", ListOf(ListOf(STRING)), "earlier turns, user and answer by pairs")
_KTO_TAG = Column("kto_tag", BOOL, "true if the answer is desirable")
_ALPACA = (_INSTRUCTION, _INPUT)
_BEFORE = (SYSTEM_TEXT, _HISTORY)

_STAGES = {"dpo": "dpo  # or rm", "kto": "kto", "sft": "sft"}
_ITS_NAMES = {"instruction": "prompt", "input": "query", "output": "response"}
_ITS_NAMES |= {"conversations": "messages"}


def _pair(row: Row) -> Row:
    alternating(row["prompt"])
    return pair_of(row)


def _answer(row: Row) -> Row:
    alternating(row["prompt"])
    return answer_row(row)


def _labelled(row: Row) -> Row:
    return {**_answer(row), "kto_tag": row["label"]}


def _alpaca(row: Row) -> Row:
    system, turns = alternating(row["prompt"])
    texts = [turn["content"] for turn in turns]
    return {
        "instruction": texts[-1],
        "input": "",
        "system": system,
        "history": [list(pair) for pair in zip(texts[0:-1:2], texts[1::2], strict=True)],
    }


def _alpaca_pair(row: Row) -> Row:
    return {**_alpaca(row), **{side: answer_of(row, side) for side in ("chosen", "rejected")}}


def _alpaca_answer(row: Row) -> Row:
    return {**_alpaca(row), "output": answer_of(row, "completion")}


def _alpaca_labelled(row: Row) -> Row:
    return {**_alpaca_answer(row), "kto_tag": row["label"]}


def _entry(made: Made, split: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "file_name": f"{made.name}/{split}.jsonl",
        "formatting": "sharegpt" if made.view.form == "conversational" else "alpaca",
        "columns": {_ITS_NAMES.get(name, name): name for name in made.columns},
    }
    return entry | ({"ranking": True} if made.view.kind == "pairs" else {})


def _dataset_info(made: Sequence[Made]) -> Mapping[str, str]:
    entries = {f"{one.name}_{split}": _entry(one, split) for one in made for split in one.rows}
    return {"dataset_info.json": json.dumps(entries, indent=2) + "\n"}


def _how(made: Made) -> str:
    names = [f"{made.name}_{split}" for split in made.rows]
    evaluated = f"\neval_dataset: {names[1]}" if len(names) > 1 else ""
    return f"""\
# in the YAML file for `llamafactory-cli train`
stage: {_STAGES[made.view.tasks[0]]}
dataset_dir: {made.at or "."}
dataset: {names[0]}{evaluated}"""


LAYOUT = Layout(
    name="llama_factory",
    consumer="LLaMA-Factory",
    files="jsonl",
    views=(
        View(
            "pairs",
            ("dpo", "reward"),
            "conversational",
            (CONVERSATIONS, CHOSEN_SIDE, REJECTED_SIDE),
            _pair,
        ),
        View(
            "pairs",
            ("dpo", "reward"),
            "standard",
            (*_ALPACA, CHOSEN_TEXT, REJECTED_TEXT, *_BEFORE),
            _alpaca_pair,
        ),
        View("labelled answers", ("kto",), "conversational", (CONVERSATIONS, _KTO_TAG), _labelled),
        View(
            "labelled answers",
            ("kto",),
            "standard",
            (*_ALPACA, _OUTPUT, _KTO_TAG, *_BEFORE),
            _alpaca_labelled,
        ),
        View("answers", ("sft",), "conversational", (CONVERSATIONS,), _answer),
        View("answers", ("sft",), "standard", (*_ALPACA, _OUTPUT, *_BEFORE), _alpaca_answer),
    ),
    how=_how,
    companions=_dataset_info,
)
