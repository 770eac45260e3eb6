"""Gopher's limits on the quality of a text (Rae et al., 2021, arXiv 2112.11446, section A1.1).

    mean length of a word      3 to 10 characters
    `#`, and ellipses          at most 0.1 for each word
    lines with a bullet        at most 0.9 of them
    lines with an ellipsis     at most 0.3 of them end with one
    words with a letter        at least 0.8 of them
    stop words                 at least 2 of `the be to of and that have with`

Words are what white space sets apart, with a letter or digit in it: the limits are for languages
that are written so, and for prose. The paper's bounds on the number of words, 50 and 100,000, are
for web pages and no part of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages._words import character_kinds

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
MIN_STOP_WORDS = 2

_LIMITS: tuple[tuple[str, float | None, float | None], ...] = (
    ("mean length of a word", 3.0, 10.0),
    ("`#` for each word", None, 0.1),
    ("ellipses for each word", None, 0.1),
    ("lines that start with a bullet", None, 0.9),
    ("lines that end with an ellipsis", None, 0.3),
    ("words with a letter", 0.8, None),
)
"""Measures in the order in which they are looked at, the least and the most that is allowed."""


def unlike_prose(
    texts: pa.LargeStringArray, min_words: int, stop_words: Sequence[str]
) -> dict[int, str]:
    """The texts that break a limit, by place: which it is, with the value and the limit.

    Args:
        min_words: texts of fewer words are not measured.
        stop_words: in lower case; none are looked for if there are fewer than two.
    """
    import numpy as np
    import pyarrow.compute as pc

    from stages.kernels import prose
    from stages.kernels.texts import buffers_of

    hashes = np.array([prose.word_hash(word) for word in stop_words], dtype=np.uint64)
    counts = prose.count_prose(buffers_of(pc.utf8_lower(texts)), character_kinds(), hashes)
    measured = counts[:, prose.WORDS] >= max(min_words, 1)
    found: dict[int, str] = {}
    values = _values(counts)
    for (name, least, most), value in reversed(list(zip(_LIMITS, values, strict=True))):
        for limit, broken, side in (
            (least, least is not None and value < least, "less"),
            (most, most is not None and value > most, "more"),
        ):
            for place in np.flatnonzero(measured & broken).tolist():
                found[place] = f"{name}: {value[place]:.2f}, {side} than {limit}"
    if len(stop_words) >= MIN_STOP_WORDS:
        for place in np.flatnonzero(measured & (counts[:, prose.STOP_WORDS] < MIN_STOP_WORDS)):
            seen = int(counts[place, prose.STOP_WORDS])
            found.setdefault(int(place), f"stop words: {seen}, fewer than {MIN_STOP_WORDS}")
    return found


def _values(counts: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """The measures of `_LIMITS`, each of shape (n,)."""
    import numpy as np

    from stages.kernels import prose

    words, lines = (np.maximum(counts[:, of], 1) for of in (prose.WORDS, prose.LINES))
    return [
        counts[:, prose.WORD_CHARS] / words,
        counts[:, prose.HASHES] / words,
        counts[:, prose.ELLIPSES] / words,
        counts[:, prose.BULLETS] / lines,
        counts[:, prose.TRAILING] / lines,
        counts[:, prose.ALPHABETIC] / words,
    ]
