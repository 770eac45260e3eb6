r"""Conversations written as one text: `\n\nHuman: ...\n\nAssistant: ...`, as in HH-RLHF."""

from __future__ import annotations

import re

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"

_ROLES = {HUMAN: "user", ASSISTANT: "assistant"}
_MARKS = re.compile(f"({HUMAN}|{ASSISTANT})")


def is_transcript(text: str) -> bool:
    """Whether a text opens as one."""
    return text.startswith(HUMAN)


def transcript_turns(text: str) -> list[dict[str, str]]:
    """The turns of a transcript, without the white space around them."""
    _, *parts = _MARKS.split(text)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": _ROLES[mark], "content": content.strip()} for mark, content in pairs]
