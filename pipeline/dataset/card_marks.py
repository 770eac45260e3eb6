"""Marks that tell what prefmill wrote in a card from what a person did.

    <!-- prefmill:counts 3f2a9c1e00d4b7aa -->
    ## What became of the rows ...
    <!-- /prefmill:counts 3f2a9c1e00d4b7aa -->

The number is a checksum of the text between the two marks. While it fits, nobody changed the
section. It stands in both marks, so that no text between them can pass for the closing one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

GUIDE = (
    "<!-- Made by prefmill. A section between two marks is made anew with each release while "
    "nobody changed it; what you change, or write outside the marks, stays. To have a section made "
    "anew, delete it with its marks; to do without it, delete what is between them. -->"
)
_MARK = re.compile(r"<!-- /?prefmill:[\w.-]+ [0-9a-f]{16} -->")
_OPEN = re.compile(r"<!-- prefmill:([\w.-]+) ([0-9a-f]{16}) -->")


@dataclass(frozen=True, slots=True)
class Section:
    """A marked section of a card.

    Attributes:
        lines: all of them, marks included.
        is_changed: whether a person changed it.
    """

    name: str
    lines: tuple[str, ...]
    is_changed: bool


Block = Section | list[str]
"""A section, or lines between sections."""


def mark_section(name: str, text: str) -> str:
    """A text between its marks."""
    found = checksum(text)
    return f"<!-- prefmill:{name} {found} -->\n{text}\n<!-- /prefmill:{name} {found} -->"


def checksum(text: str) -> str:
    """16 hex digits; the same however line ends are coded and whatever blanks end a line."""
    lines = [line.rstrip() for line in text.strip().split("\n")]
    return blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def read_blocks(lines: Sequence[str]) -> list[Block]:
    """The sections and what stands between them, without marks that have lost their fellow."""
    blocks: list[Block] = []
    between: list[str] = []
    at = 0
    while at < len(lines):
        found = _section(lines, at)
        if found is None:
            between += [] if _MARK.fullmatch(lines[at].strip()) else [lines[at]]
            at += 1
        else:
            blocks += [between, found]
            between = []
            at += len(found.lines)
    return [*blocks, between]


def _section(lines: Sequence[str], start: int) -> Section | None:
    """The section that opens in this line, if one does and is closed."""
    opening = _OPEN.fullmatch(lines[start].strip())
    if opening is None:
        return None
    name, stated = opening.groups()
    closing = f"<!-- /prefmill:{name} {stated} -->"
    for end in range(start + 1, len(lines)):
        if lines[end].strip() == opening.string:
            return None  # the closing mark that may follow is that of the later one
        if lines[end].strip() == closing:
            text = "\n".join(lines[start + 1 : end])
            return Section(name, tuple(lines[start : end + 1]), checksum(text) != stated)
    return None
