"""What counts as a word, in any script."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PER_CHARACTER = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Hiragana, katakana and Han, which put no spaces between words."""
_WORD = re.compile(f"[{_PER_CHARACTER}]|[^\\W{_PER_CHARACTER}]+")
_KINDS = (
    f"[^\\W{_PER_CHARACTER}]",
    f"[{_PER_CHARACTER}]",
    r"[^\W\d_]",
    r"\s",
    r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]",
)
"""Patterns of the kinds of characters that `stages.kernels.characters` tells apart, in order."""


def words_of(text: str) -> list[str]:
    """Runs of letters and digits; in the scripts of Chinese and Japanese each character is one."""
    return _WORD.findall(text)


def is_spaced(character: str) -> bool:
    """True for a character of a word that ends where another kind of character follows."""
    return re.fullmatch(f"[^\\W{_PER_CHARACTER}]", character) is not None


@lru_cache(maxsize=1)
def character_kinds() -> NDArray[np.uint8]:
    """Bits of every code point, bit i for the i-th kind of `_KINDS`; shape (0x110000,)."""
    import numpy as np

    everything = "".join(map(chr, range(0x110000)))
    kinds = np.zeros(len(everything), dtype=np.uint8)
    for bit, pattern in enumerate(_KINDS):
        for run in re.finditer(f"(?:{pattern})+", everything):
            kinds[run.start() : run.end()] |= np.uint8(1 << bit)
    kinds.setflags(write=False)
    return kinds
