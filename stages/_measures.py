"""What can be counted or recognised in a text without a model of meaning."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from stages._words import is_spaced

MIN_CONFIDENCE = 0.5
"""Below it the language of a text is not known."""

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s|$)|[。！？]+[”’」』）]*|\n\s*\n")
_WORD_CHARACTER = re.compile(r"\w")
_BLANK_LINE = re.compile(r"\n\s*\n")
_BULLET = re.compile(r"^[ \t]*[-*+•][ \t]+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*[0-9]{1,3}[.)][ \t]+\S", re.MULTILINE)
_HEADING = re.compile(r"\s*^#{1,6}[ \t]+\S", re.MULTILINE)
_TITLE = re.compile(r"<<([^<>\n]+)>>")
_COMMA = re.compile("[,،、，﹐]")
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)```", re.DOTALL)


class Unreadable(ValueError):
    """JSON beyond what can be read here, so that nothing can be said of it."""


def sentences(text: str) -> int:
    """Pieces with a word in them, ended by a full stop, `!`, `?` or a blank line.

    Abbreviations count as ends: `e.g. this` is two.
    """
    return sum(1 for piece in _SENTENCE_END.split(text) if _WORD_CHARACTER.search(piece))


def paragraphs(text: str, separator: str | None = None) -> int:
    """Pieces with anything in them, set apart by blank lines or by a separator."""
    pieces = _BLANK_LINE.split(text) if separator is None else text.split(separator)
    return sum(1 for piece in pieces if piece.strip())


def bullets(text: str) -> int:
    """Markdown list items with `-`, `*`, `+` or `•`."""
    return len(_BULLET.findall(text))


def numbered_items(text: str) -> int:
    """Markdown list items with a number."""
    return len(_NUMBERED.findall(text))


def has_heading(text: str) -> bool:
    """True if the first line that is not blank is a Markdown heading."""
    return _HEADING.match(text.lstrip()) is not None


def has_title(text: str) -> bool:
    """True if a `<<title>>` stands somewhere."""
    return any(title.strip() for title in _TITLE.findall(text))


def has_no_commas(text: str) -> bool:
    """True if there is no comma of any script."""
    return _COMMA.search(text) is None


def is_quoted(text: str) -> bool:
    """True if double quotes stand around the whole."""
    text = text.strip()
    return len(text) > 2 and (text[0], text[-1]) in (('"', '"'), ("“", "”"))


def occurrences(phrase: str, text: str) -> int:
    """How often a word or phrase stands in a text as whole words, whatever its case.

    Where a script puts no spaces between words, it may stand anywhere.
    """
    words = phrase.casefold().split()
    left = r"(?<!\w)" if is_spaced(words[0][0]) else ""
    right = r"(?!\w)" if is_spaced(words[-1][-1]) else ""
    inner = r"\s+".join(map(re.escape, words))
    return sum(1 for _ in re.finditer(f"{left}{inner}{right}", text.casefold()))


def json_value(text: str) -> Any:
    """The JSON value that a text is, alone or in one fenced block.

    Raises:
        Unreadable: nested too deep for the reader, a number of thousands of digits, or one beyond
            what a float holds.
        ValueError: it is no JSON; NaN and Infinity are none.
    """
    text = text.strip()
    fenced = _FENCE.fullmatch(text)
    try:
        return json.loads(
            fenced[1] if fenced else text, parse_constant=_no_constant, parse_float=_finite
        )
    except (json.JSONDecodeError, _NoConstant, Unreadable):
        raise
    except RecursionError as error:
        raise Unreadable("JSON nested too deep to be read") from error
    except ValueError as error:  # Python reads no integer of more than 4300 digits
        raise Unreadable(f"JSON with a number that cannot be read: {error}") from error


class _NoConstant(ValueError):
    """A word that some readers take for a number and JSON does not."""


def _no_constant(word: str) -> float:
    raise _NoConstant(f"{word} is no JSON")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise Unreadable(f"JSON with a number that cannot be read: {digits:.20}")
    return number


def language_of(text: str) -> tuple[str, float]:
    """The likeliest language, as an ISO 639 code, and its probability by py3langid."""
    code, probability = identifier().classify(text)
    return code, probability


def known_languages() -> frozenset[str]:
    """The codes that `language_of` can give, but for `zxx`, which is no language."""
    return frozenset(identifier().labels) - {"zxx"}


def identifier() -> Any:
    """py3langid, loaded where it is first asked for."""
    from stages.kernels.langid import IDENTIFIER

    return IDENTIFIER
