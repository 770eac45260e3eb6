"""How a refusal opens."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

REFUSALS = (
    "i can't assist with",
    "i can't help with",
    "i cannot assist with",
    "i cannot fulfill",
    "i cannot help with",
    "i'm sorry, but i can't",
    "i'm sorry, but i cannot",
    "i'm sorry, i can't",
    "i'm unable to assist",
    "i am unable to assist",
    "as an ai language model, i can",
    "sorry, but i can't",
    "es tut mir leid, aber ich kann",
    "je suis désolé, mais je ne peux pas",
    "lo siento, pero no puedo",
    "desculpe, mas não posso",
    "抱歉，我无法",
    "很抱歉，我无法",
    "申し訳ありませんが",
)
"""How a refusal opens, in a few languages."""

_ROOM = 4
"""So many times an opening's length are looked at: white space may be wide."""


def refusal_opening(text: str, openings: Sequence[str]) -> str | None:
    """The opening that a text starts with, if any, whatever its case and kind of apostrophe."""
    plain, longest = _plain_openings(tuple(openings))
    start = _plain(text.lstrip()[: _ROOM * longest])
    if not start.startswith(plain):
        return None
    pairs = zip(openings, plain, strict=True)
    return next(opening for opening, spelled in pairs if start.startswith(spelled))


@lru_cache(maxsize=8)
def _plain_openings(openings: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """The openings in their plain form, and the length of the longest."""
    return tuple(map(_plain, openings)), max(map(len, openings), default=0)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    return " ".join(folded.split())
