"""HuggingFaceH4/ultrafeedback_binarized: whole conversations, both scores, splits `train_prefs`.

`prompt_id` is the SHA-256 of the prompt's turns, one a line: of a single turn as there.
"""

from __future__ import annotations

from hashlib import sha256

from pipeline.dataset.layouts.record import CannotHold, Layout, Made, Row, View
from pipeline.dataset.layouts.turns import conversation
from schemas.columns import MESSAGES, SCORE_CHOSEN, SCORE_REJECTED, Column
from schemas.layouts import CHOSEN_CONVERSATION, REJECTED_CONVERSATION
from schemas.types import FLOAT, STRING

_PROMPT = Column("prompt", STRING, "the first user turn")
_PROMPT_ID = Column("prompt_id", STRING, "SHA-256 of the prompt")
_SCORES = (SCORE_CHOSEN, SCORE_REJECTED)


def _pair(row: Row) -> Row:
    if any(row[column.name] is None for column in _SCORES):
        raise CannotHold("the pair came without scores, and this layout has one for each answer")
    turns = row["prompt"]
    text = "\n".join(turn["content"] for turn in turns)
    chosen = conversation(row, "chosen")
    return {
        "prompt": next(turn["content"] for turn in turns if turn["role"] == "user"),
        "prompt_id": sha256(text.encode()).hexdigest(),
        "chosen": chosen,
        "rejected": conversation(row, "rejected"),
        "messages": chosen,
        **{column.name: row[column.name] for column in _SCORES},
    }


def _how(made: Made) -> str:
    first = next(iter(made.rows))
    return f"""\
from datasets import load_dataset

rows = load_dataset("{made.folder}", split="{first}")
rows = rows.remove_columns("prompt")  # for TRL: a string `prompt` must not stand beside lists"""


LAYOUT = Layout(
    name="ultrafeedback_binarized",
    consumer="the alignment handbook and what follows it",
    files="parquet",
    views=(
        View(
            "pairs",
            ("dpo", "reward"),
            "conversational",
            (
                _PROMPT,
                _PROMPT_ID,
                CHOSEN_CONVERSATION,
                REJECTED_CONVERSATION,
                MESSAGES,
                *(Column(column.name, FLOAT, column.doc) for column in _SCORES),
            ),
            _pair,
            reads=_SCORES,
        ),
    ),
    how=_how,
    split_suffix="_prefs",
    inside="data",
)
