"""Text of unknown origin on a page: escaped, and nothing in it hidden.

Control characters and those that turn the direction of writing are shown by name instead of obeyed,
and each text is isolated, so that it cannot reorder what stands around it.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

_CUT = " … {:,} more characters"
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
    r"|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
"""Controls (without tab and line feed), marks of direction, what has no width, lone surrogates.
Joiners are left where they join what is no ASCII: emoji and some scripts are written with them."""


def visible(text: str) -> str:
    """The text with each unseen character as its code point, e.g. `[U+202E]`."""
    return _UNSEEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text.replace("\r\n", "\n"))


def cut(text: str, limit: int) -> str:
    """At most so many characters of a text, and how many were left out."""
    left_out = len(text) - limit
    return text if left_out <= 0 else text[:limit] + _CUT.format(left_out)


def label(text: str, limit: int = 80) -> str:
    """A short name as plain text on one line: for a chart, or to be escaped."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def fitted(text: str, columns: int) -> str:
    """A label that takes so many columns of letters at most, wide ones counting two."""
    line, width = label(text), 0
    for place, char in enumerate(line):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > columns:
            return line[: max(place - 1, 0)] + "…"
    return line


def name(text: str) -> str:
    """A short name as HTML."""
    return f"<bdi>{escape(label(text))}</bdi>"


def quote(text: str, limit: int = 400) -> str:
    """What a model or a file said, as HTML: its beginning, its line breaks kept."""
    said = escape(visible(cut(text.strip(), limit)))
    return f'<span class="quote" dir="auto">{said}</span>'


def coded(text: str) -> str:
    """Words of our own as HTML, with what stands in backticks as code."""
    pieces = escape(visible(text)).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))
