"""Principles and their opposites, as system prompts for contrasting one model with itself.

Each principle is two texts, `principle_<name>.j2` and `principle_<name>_opposite.j2`. A model's
likelihood of an answer under the one against the other says how well the answer follows the
principle (DLMA, Liu et al., 2024, arXiv 2402.11907).
"""

from __future__ import annotations

from collections.abc import Sequence

from prompts.render import prompt_names, render
from schemas.errors import InputError
from schemas.models import Message

_PREFIX, _OPPOSITE = "principle_", "_opposite"


def principle_names() -> list[str]:
    """The principles that ship."""
    found = (name.removeprefix(_PREFIX) for name in prompt_names() if name.startswith(_PREFIX))
    return [name for name in found if not name.endswith(_OPPOSITE)]


def texts_of(principle: str) -> tuple[str, str]:
    """Names of the two prompt texts of a principle.

    Raises:
        InputError: there is no such principle.
    """
    known = principle_names()
    if principle not in known:
        raise InputError(f"there is no principle `{principle}`; known: {', '.join(known)}")
    return _PREFIX + principle, _PREFIX + principle + _OPPOSITE


def contrast(messages: Sequence[Message], principle: str) -> tuple[list[Message], list[Message]]:
    """The conversation under a principle and under its opposite.

    An own system turn of the conversation stays, after the principle.
    """
    under, against = (_with_system(messages, render(text).strip()) for text in texts_of(principle))
    return under, against


def _with_system(messages: Sequence[Message], text: str) -> list[Message]:
    own = [message.content for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    return [Message("system", "\n\n".join([text, *own])), *rest]
