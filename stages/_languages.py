"""The language of many texts, by py3langid's model, which comes in its package."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from stages._measures import identifier

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.kernels.languages import Automaton


def languages_of(
    texts: pa.LargeStringArray, max_chars: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Codes of languages, and for each text the probability of each, shape (n, languages).

    Gives what `stages._measures.language_of` gives, up to rounding.

    Args:
        max_chars: of longer texts this many characters are read.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from stages.kernels.languages import language_probabilities
    from stages.kernels.texts import buffers_of

    start = pc.utf8_slice_codeunits(texts, 0, max_chars)
    # As Python sees capitals: Arrow takes some signs that Python calls lower-case for neither.
    lowered = (text.lower() if text.isupper() else text for text in start.to_pylist())
    start = pa.array(lowered, type=pa.large_string())
    # Arrow keeps composed characters as they are where there is nothing to do; no copy then.
    start = pc.utf8_normalize(start, "NFC").cast(pa.large_string())
    probabilities = language_probabilities(buffers_of(start), _automaton())
    codes = identifier().nb_classes
    columns = [[i for i, code in enumerate(codes) if code == label] for label in labels()]
    return labels(), np.stack([probabilities[:, of].sum(axis=1) for of in columns], axis=1)


def labels() -> list[str]:
    """The codes, each once."""
    found: list[str] = identifier().labels
    return found


@lru_cache(maxsize=1)
def _automaton() -> Automaton:
    import numpy as np

    from stages.kernels.languages import Automaton

    model = identifier()
    return Automaton(
        np.array(model.tk_nextmove, dtype=np.uint32),
        np.array(model.tk_row, dtype=np.uint32),
        np.array(model.tk_output, dtype=np.int32),
        model.nb_ptc.astype(np.float32),
        model.nb_pc.astype(np.float32),
    )
