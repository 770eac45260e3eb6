"""The grades of `deita`: complexity and quality of each turn of a conversation."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prompts import deita
from schemas.batch import Reject, Row
from schemas.columns import MESSAGES, ROW_ID
from schemas.layouts import is_blank
from schemas.selection import COMPLEXITY_SCORES, DEITA_SCORE, QUALITY_SCORES
from schemas.stage import Context
from stages._judge_verdicts import Asked, Asking, NoVerdict, Verdict, ask

if TYPE_CHECKING:
    from stages._deita_config import Config

Turn = tuple[str, str]
"""An instruction and the answer to it."""


def graded_rows(rows: Sequence[Row], config: Config, context: Context) -> list[Row | Reject]:
    """The grades and the score of each row, or why it has none; all are asked for at once."""
    asked = [_questions(row[ROW_ID.name], turns_of(row, row[config.answer])) for row in rows]
    how = Asking(config.model, "label_probs", 0, config.min_label_mass, False)
    verdicts = iter(ask([one for own in asked for one in own], how, context))
    return [
        _scored(row, [(one, next(verdicts)) for one in own], row[config.answer])
        for row, own in zip(rows, asked, strict=True)
    ]


def turns_of(row: Row, answer: str) -> list[Turn]:
    """Each instruction of a conversation with what was answered, the last with the row's answer.

    Texts of a role that follow each other, or stand around a tool's, are one; system turns and
    tools' are left out.
    """
    turns: list[tuple[list[str], list[str]]] = []
    for message in row[MESSAGES.name]:
        if message["role"] == "user":
            if not turns or turns[-1][1]:
                turns.append(([], []))
            turns[-1][0].append(message["content"])
        elif message["role"] == "assistant" and turns:
            turns[-1][1].append(message["content"])
    if turns:
        turns[-1][1].append(answer)
    return [("\n\n".join(asked), "\n\n".join(said)) for asked, said in turns]


def _questions(row_id: str, turns: Sequence[Turn]) -> list[Asked]:
    """Of each turn its complexity, then its quality; none if a turn lacks a text."""
    if any(is_blank(text) for turn in turns for text in turn):
        return []
    return [
        asked
        for number, (instruction, answer) in enumerate(turns, 1)
        for asked in (
            Asked(row_id, f"complexity of turn {number}", (), deita.complexity(instruction)),
            Asked(row_id, f"quality of turn {number}", (), deita.quality(instruction, answer)),
        )
    ]


def _scored(
    row: Row, found: Sequence[tuple[Asked, Verdict | NoVerdict]], answer: str
) -> Row | Reject:
    """All grades of a row or none: a sum over some of its turns would compare with no other."""
    row_id = row[ROW_ID.name]
    if not found:
        message = "a turn without text in its instruction or its answer cannot be graded"
        return Reject(row_id, "empty_text", message, answer)
    grades: list[float] = []
    for asked, verdict in found:
        if isinstance(verdict, NoVerdict):
            message = f"{asked.topic}: {verdict.problem}"
            return Reject(row_id, verdict.code, message, verdict.raw or answer)
        grades.append(verdict.value)
    complexity, quality = grades[::2], grades[1::2]
    return {
        ROW_ID.name: row_id,
        COMPLEXITY_SCORES.name: complexity,
        QUALITY_SCORES.name: quality,
        DEITA_SCORE.name: sum(map(operator.mul, complexity, quality)),
    }
