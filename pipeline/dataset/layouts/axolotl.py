"""axolotl (0.19): a file, and in its recipe the name of the function that reads the rows.

`chat_template.default` renders an answer and then looks for its raw text in what came out. Where
the model's template trims the text (white space at its ends, reasoning in `<think>`), it finds
nothing, and cuts the answer to its last character without a word. Such answers are refused; the
plain strings of `--form standard` are looked for by nobody.
"""

from __future__ import annotations

from pipeline.dataset.layouts.record import CannotHold, Layout, Made, Row, View
from pipeline.dataset.layouts.strings import (
    CHOSEN_TEXT,
    COMPLETION_TEXT,
    PROMPT_TEXT,
    REJECTED_TEXT,
    SYSTEM_TEXT,
)
from pipeline.dataset.layouts.turns import answer_of, conversation, system_and_user
from schemas.columns import MESSAGE, MESSAGES, Column
from schemas.layouts import LABEL
from schemas.types import STRING

_CHOSEN = Column("chosen", MESSAGE, "the preferred answer")
_REJECTED = Column("rejected", MESSAGE, "the other answer")
_INPUT = Column("input", STRING, "the user's turn")

_THOUGHTS = ("<think>", "</think>")


def _pair(row: Row) -> Row:
    sides = {side: {"role": "assistant", "content": _kept(row, side)} for side in _SIDES}
    return {"messages": row["prompt"], **sides}


_SIDES = ("chosen", "rejected")


def _kept(row: Row, side: str) -> str:
    """An answer of which no chat template cuts anything off."""
    text = answer_of(row, side)
    if text != text.strip():
        raise CannotHold(
            f"`{side}` begins or ends with white space, which chat templates trim, and axolotl's "
            "`chat_template.default` then loses the answer: take --form standard"
        )
    if any(tag in text for tag in _THOUGHTS):
        raise CannotHold(
            f"`{side}` has {' or '.join(_THOUGHTS)} in it, which chat templates cut, and axolotl's "
            "`chat_template.default` then loses the answer: take --form standard"
        )
    return text


def _strings(row: Row) -> Row:
    system, prompt = system_and_user(row["prompt"])
    return {"system": system, "prompt": prompt}


def _string_pair(row: Row) -> Row:
    return {**_strings(row), **{side: answer_of(row, side) for side in _SIDES}}


def _reward(row: Row) -> Row:
    strings = _string_pair(row)
    return {"input": strings.pop("prompt"), **strings}


def _labelled(row: Row) -> Row:
    completion = answer_of(row, "completion")
    return {**_strings(row), "completion": completion, "label": row["label"]}


def _answer(row: Row) -> Row:
    return {"messages": conversation(row, "completion")}


_HEADS = {
    ("dpo", "conversational"): ("rl: dpo", "chat_template.default"),
    ("dpo", "standard"): ("rl: dpo", "chatml.prompt_pairs"),
    ("reward", "standard"): (
        "reward_model: true\nchat_template: tokenizer_default",
        "bradley_terry.chat_template",
    ),
    ("kto", "standard"): ("rl: kto\nremove_unused_columns: false", "chatml.prompt_pairs"),
    ("sft", "conversational"): ("chat_template: tokenizer_default", "chat_template"),
}
_LLAMA = "  # or llama3.prompt_pairs, as the model has it"


def _how(made: Made) -> str:
    head, kind = _HEADS[(made.view.tasks[0], made.view.form)]
    note = _LLAMA if kind == "chatml.prompt_pairs" else ""
    first, *others = made.rows
    lists = [("datasets", first), *(("test_datasets", split) for split in others[:1])]
    return head + "".join(
        f"\n{key}:\n  - path: {made.lines_file(split)}\n    ds_type: json\n    split: train\n"
        f"    type: {kind}{note}"
        for key, split in lists
    )


LAYOUT = Layout(
    name="axolotl",
    consumer="axolotl",
    files="jsonl",
    views=(
        View("pairs", ("dpo",), "conversational", (MESSAGES, _CHOSEN, _REJECTED), _pair),
        View(
            "pairs",
            ("dpo",),
            "standard",
            (SYSTEM_TEXT, PROMPT_TEXT, CHOSEN_TEXT, REJECTED_TEXT),
            _string_pair,
        ),
        View(
            "pairs",
            ("reward",),
            "standard",
            (SYSTEM_TEXT, _INPUT, CHOSEN_TEXT, REJECTED_TEXT),
            _reward,
        ),
        View(
            "labelled answers",
            ("kto",),
            "standard",
            (SYSTEM_TEXT, PROMPT_TEXT, COMPLETION_TEXT, LABEL),
            _labelled,
        ),
        View("answers", ("sft",), "conversational", (MESSAGES,), _answer),
    ),
    how=_how,
)
