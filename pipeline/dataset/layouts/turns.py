"""What layouts make of a conversation, and the rules that they hold it to."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dataset.layouts.record import CannotHold, Kind, Row
from schemas.layouts import (
    CHOSEN_TURN,
    COMPLETION,
    COMPLETIONS,
    PROMPT,
    REJECTED_TURN,
    answer_fault,
    prompt_fault,
    same_text,
)

Turns = Sequence[Row]

_ROLES = ("system", "user", "assistant", "tool")

_SIDES: dict[Kind, tuple[str, ...]] = {
    "pairs": (CHOSEN_TURN.name, REJECTED_TURN.name),
    "labelled answers": (COMPLETION.name,),
    "answers": (COMPLETION.name,),
    "rankings": (),
}


def check_row(row: Row, kind: Kind) -> None:
    """Raise CannotHold for a row that no trainer learns from, whatever the layout.

    Exporters write none; whoever changed the files by hand may have.
    """
    if fault := prompt_fault(row[PROMPT.name]):
        raise CannotHold(fault)
    for turn in row[PROMPT.name]:
        if turn["role"] not in _ROLES:
            raise CannotHold(f"a turn is of `{turn['role']}`; allowed: {', '.join(_ROLES)}")
    answers = {name: answer_of(row, name) for name in _SIDES[kind]}
    if kind == "rankings":
        answers = {f"{COMPLETIONS.name}[{i}]": a for i, a in enumerate(row[COMPLETIONS.name])}
    for name, answer in answers.items():
        if fault := answer_fault(name, answer):
            raise CannotHold(fault)
    if kind == "pairs" and same_text(*answers.values()):
        raise CannotHold("`chosen` and `rejected` are the same text")


def answer_of(row: Row, side: str) -> str:
    """The text of an answer, which is one assistant turn."""
    roles = [turn["role"] for turn in row[side]]
    if roles != ["assistant"]:
        raise CannotHold(
            f"`{side}` has the turns {', '.join(roles) or 'of nobody'}; it must be "
            "one turn of `assistant`"
        )
    text: str = row[side][0]["content"]
    return text


def conversation(row: Row, side: str) -> list[Row]:
    """The prompt and an answer to it."""
    return [*row[PROMPT.name], *row[side]]


def only_user(prompt: Turns) -> str:
    """The text of a prompt that is a single user turn."""
    if len(prompt) != 1:
        roles = ", ".join(turn["role"] for turn in prompt)
        raise CannotHold(
            f"a plain string holds one user turn, and the prompt has the turns {roles}: take "
            "--form conversational"
        )
    text: str = prompt[0]["content"]
    return text


def string_prompt(prompt: Turns) -> str:
    """The text of a single user turn, set off from the answer that follows it by one line end.

    One line end is a token of its own in the usual vocabularies, which two are not: the tokens of
    the prompt are then the first tokens of prompt and answer, as trainers expect.
    """
    return only_user(prompt).rstrip() + "\n"


def string_answer(row: Row, side: str) -> str:
    """An answer that follows a string prompt."""
    text = answer_of(row, side)
    if text != text.lstrip():
        raise CannotHold(
            f"`{side}` begins with white space, which becomes one token with the end of a string "
            "prompt: take --form conversational"
        )
    return text


def split_system(prompt: Turns) -> tuple[str, list[Row]]:
    """The system prompt, empty if there is none, and the other turns."""
    if prompt[0]["role"] == "system":
        return prompt[0]["content"], list(prompt[1:])
    return "", list(prompt)


def system_and_user(prompt: Turns) -> tuple[str, str]:
    """Of a prompt with one user turn and perhaps a system prompt before it."""
    system, turns = split_system(prompt)
    if len(turns) != 1:
        raise CannotHold(
            f"the prompt has {len(turns)} turns, and this layout has room for one of the user and "
            "a system prompt"
        )
    return system, turns[0]["content"]


def alternating(prompt: Turns) -> tuple[str, list[Row]]:
    """System prompt and turns of `user`, `assistant`, ..., `user`, strictly in turns."""
    system, turns = split_system(prompt)
    for number, turn in enumerate(turns):
        due = ("user", "assistant")[number % 2]
        if turn["role"] != due:
            raise CannotHold(
                f"turns must be of `user` and `assistant` in turns after the system prompt, and "
                f"where one of `{due}` is due there is one of `{turn['role']}`"
            )
    return system, turns
