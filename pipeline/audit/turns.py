"""Prompt and answer in the shapes that datasets give them: transcripts, turns, texts."""

from __future__ import annotations

from typing import Any

from stages._transcripts import ASSISTANT

_SPEAKER = ("role", "from")
_TEXT = ("content", "value")
_USERS = frozenset(("user", "human", "prompter"))


def split_transcript(text: Any) -> tuple[str, str] | None:
    """(what came before, the last answer) of an HH-RLHF transcript; None if there is no answer."""
    if not isinstance(text, str) or ASSISTANT not in text:
        return None
    before, answer = text.rsplit(ASSISTANT, 1)
    return before, answer.strip()


def answer_of(side: Any) -> str | None:
    """The text of a side's last turn; the side itself if it is a text."""
    if isinstance(side, str):
        return side
    turns = [side] if isinstance(side, dict) else side
    if not isinstance(turns, list) or not turns or not isinstance(turns[-1], dict):
        return None
    return _first_text(turns[-1], _TEXT)


def last_user_turn(prompt: Any) -> str:
    """What the user said last; empty if there is nothing to find."""
    if isinstance(prompt, str):
        return prompt
    for turn in reversed(prompt if isinstance(prompt, list) else []):
        if isinstance(turn, dict) and _first_text(turn, _SPEAKER) in _USERS:
            return _first_text(turn, _TEXT) or ""
    return ""


def _first_text(turn: dict[str, Any], names: tuple[str, ...]) -> str | None:
    found = (turn.get(name) for name in names)
    return next((value for value in found if isinstance(value, str)), None)
