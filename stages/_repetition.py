"""Gopher's limits on repetition (Rae et al., 2021, arXiv 2112.11446, Table A1).

A text is dropped if one of these shares is exceeded. The limits were set for web pages, so short
texts are better not measured.

    repeated lines 0.30 (their characters 0.20)      repeated paragraphs 0.30 (0.20)
    characters in the most frequent 2-gram 0.20, 3-gram 0.18, 4-gram 0.16
    characters in repeated 5-grams 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10-grams 0.10

Repeated means: the second occurrence and later ones. Of n-grams that are the most frequent alike
the longest counts, then the earliest. Words are runs of letters and digits, in any case; in the
scripts of Chinese and Japanese each character is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages._words import character_kinds

if TYPE_CHECKING:
    import pyarrow as pa

LIMITS: tuple[tuple[str, float], ...] = (
    ("repeated lines", 0.30),
    ("characters in repeated lines", 0.20),
    ("repeated paragraphs", 0.30),
    ("characters in repeated paragraphs", 0.20),
    ("characters in the most frequent 2-gram", 0.20),
    ("characters in the most frequent 3-gram", 0.18),
    ("characters in the most frequent 4-gram", 0.16),
    ("characters in repeated 5-grams", 0.15),
    ("characters in repeated 6-grams", 0.14),
    ("characters in repeated 7-grams", 0.13),
    ("characters in repeated 8-grams", 0.12),
    ("characters in repeated 9-grams", 0.11),
    ("characters in repeated 10-grams", 0.10),
)
"""Measures in the order in which they are looked at, each with the most that is allowed."""


def repetitions(texts: pa.LargeStringArray, min_words: int = 1) -> dict[int, str]:
    """The texts that exceed a limit, by place: which measure it is, with its share.

    Texts of fewer than `min_words` words are not measured.
    """
    import numpy as np
    import pyarrow.compute as pc

    from stages.kernels.repetition import repeated_shares
    from stages.kernels.texts import buffers_of

    folded = buffers_of(pc.utf8_lower(texts))
    shares = repeated_shares(buffers_of(texts), folded, character_kinds(), min_words)
    over = shares > np.array([limit for _, limit in LIMITS])
    found = {}
    for place in np.flatnonzero(over.any(axis=1)).tolist():
        measure = int(over[place].argmax())
        name, limit = LIMITS[measure]
        found[place] = f"{name}: {shares[place, measure]:.2f}, more than {limit:.2f}"
    return found
