"""ShareGPT: `from` and `value` for each turn, one turn for each side of a pair."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dataset.layouts.record import Layout, Made, Row, View
from pipeline.dataset.layouts.turns import answer_of, conversation
from schemas.columns import Column
from schemas.layouts import LABEL
from schemas.types import STRING, Field, ListOf, Struct

_NAMES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}

TURN = Struct((Field("from", STRING, "who speaks"), Field("value", STRING, "the text")))
CONVERSATIONS = Column("conversations", ListOf(TURN), "the turns so far")
CHOSEN_SIDE = Column("chosen", TURN, "the preferred answer")
REJECTED_SIDE = Column("rejected", TURN, "the other answer")


def turns_of(messages: Sequence[Row]) -> list[Row]:
    """The same turns in ShareGPT's words."""
    return [{"from": _NAMES[turn["role"]], "value": turn["content"]} for turn in messages]


def pair_of(row: Row) -> Row:
    """A pair: the prompt, and one turn for each side."""
    sides = {
        side: {"from": "gpt", "value": answer_of(row, side)} for side in ("chosen", "rejected")
    }
    return {"conversations": turns_of(row["prompt"]), **sides}


def answer_row(row: Row) -> Row:
    """A whole conversation."""
    return {"conversations": turns_of(conversation(row, "completion"))}


def _labelled(row: Row) -> Row:
    return {**answer_row(row), "label": row["label"]}


def _how(made: Made) -> str:
    first = next(iter(made.rows))
    columns = ", ".join(f"`{name}`" for name in made.columns)
    return f"{made.lines_file(first)}: {columns}; turns are `from` (human, gpt, system) and `value`"


LAYOUT = Layout(
    name="sharegpt",
    consumer="whatever reads ShareGPT's turns",
    files="jsonl",
    views=(
        View(
            "pairs",
            ("dpo", "reward"),
            "conversational",
            (CONVERSATIONS, CHOSEN_SIDE, REJECTED_SIDE),
            pair_of,
        ),
        View("labelled answers", ("kto",), "conversational", (CONVERSATIONS, LABEL), _labelled),
        View("answers", ("sft",), "conversational", (CONVERSATIONS,), answer_row),
    ),
    how=_how,
)
