"""ms-swift (4.6): `messages` that end on the chosen answer, and `rejected_response`.

It raises if both answers are the same text; so does `check_row` for every layout. Its reward
trainer alone reads `margin`.
"""

from __future__ import annotations

from pipeline.dataset.layouts.record import Layout, Made, Row, View
from pipeline.dataset.layouts.turns import answer_of, conversation
from schemas.columns import MARGIN, MESSAGES, Column
from schemas.layouts import LABEL
from schemas.types import STRING

_REJECTED = Column("rejected_response", STRING, "the other answer")


def _pair(row: Row) -> Row:
    rejected = answer_of(row, "rejected")
    return {"messages": conversation(row, "chosen"), "rejected_response": rejected}


def _reward(row: Row) -> Row:
    return {**_pair(row), "margin": row["margin"]}


def _answer(row: Row) -> Row:
    return {"messages": conversation(row, "completion")}


def _labelled(row: Row) -> Row:
    return {**_answer(row), "label": row["label"]}


_COMMANDS = {
    "dpo": "rlhf --rlhf_type dpo",
    "reward": "rlhf --rlhf_type rm",
    "kto": "rlhf --rlhf_type kto",
    "sft": "sft",
}


def _how(made: Made) -> str:
    first, *others = made.rows
    held_out = f" --val_dataset {made.lines_file(others[0])}" if others else ""
    command = _COMMANDS[made.view.tasks[0]]
    return f"swift {command} --model MODEL --dataset {made.lines_file(first)}{held_out}"


LAYOUT = Layout(
    name="ms_swift",
    consumer="ms-swift",
    files="jsonl",
    views=(
        View("pairs", ("dpo",), "conversational", (MESSAGES, _REJECTED), _pair),
        View(
            "pairs",
            ("reward",),
            "conversational",
            (MESSAGES, _REJECTED, MARGIN),
            _reward,
            reads=(MARGIN,),
        ),
        View("labelled answers", ("kto",), "conversational", (MESSAGES, LABEL), _labelled),
        View("answers", ("sft",), "conversational", (MESSAGES,), _answer),
    ),
    how=_how,
)
