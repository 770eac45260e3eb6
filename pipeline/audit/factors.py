"""Factors of an answer that a labeller may reward: how long, how it is laid out, how it sounds.

After the properties of "Dissecting Human and LLM Preferences" (Li et al., 2024, arXiv 2402.11296),
those among them that a rule can see. The rules read English; length and layout work in any
language.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from stages._refusals import REFUSALS

Factor = Callable[[str], float]

_WORD = re.compile(r"\w+")
_ENDS = frozenset(".!?…。！？:;)]}\"'”’`*|>0123456789")
_APOSTROPHES = str.maketrans("\u2019\u02bc", "''")
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|afraid|unable|not able)\b.{0,60}\b(?:can(?:'t|not)|unable|not able)"
    r"|i (?:can(?:'t|not)|won't|will not|am unable to|'m unable to|refuse to) "
    r"(?:assist|help|fulfil|comply|provide|answer|do that|continue|support|condone))",
    re.IGNORECASE | re.DOTALL,
)
_REFUSAL_CHARS = 200
"""A refusal comes at the start of an answer; further on the words mean other things."""


def _matches(pattern: str, flags: int = re.IGNORECASE) -> Factor:
    compiled = re.compile(pattern, flags | re.MULTILINE)
    return lambda text: float(len(compiled.findall(text)))


def is_refusal(text: str) -> bool:
    """Whether an answer declines to answer, by its opening words."""
    start = text.translate(_APOSTROPHES).lstrip()[:_REFUSAL_CHARS]
    lowered = start.lower()
    return lowered.startswith(REFUSALS) or bool(_REFUSAL.search(start))


def is_unfinished(text: str) -> bool:
    """Whether an answer ends in the middle of a sentence, by its last character."""
    return text.rstrip()[-1:] not in _ENDS


def repeated_words(text: str) -> float:
    """Share of words that were there before, 0 to 1."""
    words = _WORD.findall(text.lower())
    return 1 - len(set(words)) / len(words) if words else 0.0


# The first letters of the hedges, looked for first, make that three times as fast.
FACTORS: dict[str, Factor] = {
    "length": lambda text: float(len(text)),
    "paragraphs": _matches(r"\n\s*\n"),
    "headings": _matches(r"^#{1,6} "),
    "list items": _matches(r"^[ \t]*(?:[-*+•]|\d+[.)]) "),
    "bold or italics": _matches(r"\*\*[^*\n]+\*\*|(?<![\w*])[*_][^*_\n]+[*_](?![\w*])"),
    "code blocks": _matches(r"^ *```.*?(?:^ *```|\Z)", re.DOTALL),
    "tables": _matches(r"^\|.*\|[ \t]*$"),
    "links": _matches(r"https?://"),
    "numbers": _matches(r"\b\d[\d.,]*"),
    "questions": _matches(r"\?"),
    "exclamations": _matches(r"!"),
    "hedges": _matches(
        r"\b(?=[cgilmpsu])(?:may|might|maybe|perhaps|possibly|probably|likely|seems?|could be"
        r"|i think|i believe|i'm not sure|in general|generally|usually)\b"
    ),
    "apologies": _matches(r"\b(?:sorry|apolog(?:y|ies|i[sz]e))\b"),
    "refusal": lambda text: float(is_refusal(text)),
    "unfinished": lambda text: float(is_unfinished(text)),
    "repeated words": repeated_words,
}
"""By name, what counts in a text. All but `length` (characters), `refusal`, `unfinished` (yes or
no) and `repeated words` (a share) are numbers of occurrences."""
