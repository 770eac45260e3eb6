"""What counts as a word, in any script."""

from __future__ import annotations

import re

_PER_CHARACTER = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Hiragana, katakana and Han, which put no spaces between words."""
_WORD = re.compile(f"[{_PER_CHARACTER}]|[^\\W{_PER_CHARACTER}]+")


def words_of(text: str) -> list[str]:
    """Runs of letters and digits; in the scripts of Chinese and Japanese each character is one."""
    return _WORD.findall(text)


def is_spaced(character: str) -> bool:
    """True for a character of a word that ends where another kind of character follows."""
    return re.fullmatch(f"[^\\W{_PER_CHARACTER}]", character) is not None
