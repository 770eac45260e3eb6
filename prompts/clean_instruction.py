"""Whether a sampled text is a prompt that a person could have written.

The rules are about form and hold in any language; what is asked is not judged here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an instruction: a stable code and a sentence."""

    code: str
    message: str


_ENDS_OPEN = (":", ",", ";", "(", "[", "{", "-", "–", "—", "：", "，", "、", "；", "（")
"""An end that announces something that did not come."""

_MARKUP = re.compile(r"<\|[^|\s]{1,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>")
"""What chat templates are made of; in a prompt it is leakage."""

_OPENS_REPLY = re.compile(
    r"(?:sure[,!.]|certainly[,!.]|of course[,!.]|here (?:is|are) (?:a|an|the|some)\b"
    r"|i'd be happy to|i'm (?:just )?an ai\b|as an ai\b|i'm sorry,? but)",
    re.IGNORECASE,
)
"""How assistants open an answer: the model took the wrong side of the conversation."""

_OPENS_LETTER = re.compile(r"(?:dear|hi|hello|hey)(?: [^\s,]+){0,3},?$", re.IGNORECASE)
"""A salutation and nothing more: the rest came after the line break that ended the turn."""


def normalise(text: str) -> str:
    """The text as it is kept: composed Unicode (NFC), no white space around it."""
    return unicodedata.normalize("NFC", text).strip()


def problem_with(
    text: str, finish_reason: Literal["stop", "length"], *, min_chars: int, max_chars: int
) -> Problem | None:
    """The first rule that an instruction breaks, or None.

    Codes: `empty`, `truncated`, `too_short`, `too_long`, `markup`, `fragment`, `salutation`,
    `assistant_voice`.
    """
    if not text:
        return Problem("empty", "the model wrote nothing")
    if finish_reason == "length":
        return Problem("truncated", f"{len(text)} characters and not at the end of the turn")
    if len(text) < min_chars:
        return Problem("too_short", f"{len(text)} characters, fewer than {min_chars}")
    if len(text) > max_chars:
        return Problem("too_long", f"{len(text)} characters, more than {max_chars}")
    if markup := _MARKUP.search(text):
        return Problem("markup", f"contains `{markup.group()}` of a chat template")
    if _OPENS_LETTER.match(text):
        return Problem("salutation", "a salutation with nothing after it")
    if reason := _fragment(text):
        return Problem("fragment", reason)
    if opening := _OPENS_REPLY.match(text):
        return Problem("assistant_voice", f"opens like an answer: `{opening.group()}`")
    return None


def _fragment(text: str) -> str | None:
    """Why the text is a piece of something longer; None if it looks whole."""
    if not any(character.isalpha() for character in text):
        return "has no letter"
    if text.endswith(_ENDS_OPEN):
        return f"ends with `{text[-1]}`, so something should follow"
    if text[0] in ",.;:!?)]}’”…、。，；：！？）":
        return f"begins with `{text[0]}`"
    if text.count("```") % 2:
        return "opens a code block that does not end"
    return None
