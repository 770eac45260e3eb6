"""The walk of py3langid over the bytes of many texts at once.

py3langid (Barbaresi, after Lui and Baldwin's langid.py, 2012) counts byte n-grams by an automaton
and scores languages by naive Bayes on them. Its own walk is a Python loop over bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.kernels.characters import Bytes, Offsets
from stages.kernels.jit import kernel


class Automaton(NamedTuple):
    """py3langid's model for L languages, F features and S states.

    Attributes:
        moves: next state for a row and a byte, flat.
        rows: the row of each state in `moves`, shape (S,).
        features: the feature that a state stands for, -1 for none, shape (S,).
        weights: log-probability of each feature in each language, shape (F, L).
        priors: log-probability of each language, shape (L,).
    """

    moves: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    features: NDArray[np.int32]
    weights: NDArray[np.float32]
    priors: NDArray[np.float32]


def language_probabilities(texts: tuple[Offsets, Bytes], model: Automaton) -> NDArray[np.float32]:
    """Probability of each language for each text, shape (n, L).

    The softmax is taken at a temperature of the square root of a text's bytes, as py3langid does.
    A text without any feature is as likely in every language.
    """
    offsets, _ = texts
    scores: NDArray[np.float32] = _scores(*texts, *model)
    sizes = np.maximum(np.diff(offsets), 1).astype(np.float32)
    scores /= np.sqrt(sizes)[:, None]
    np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


@kernel()
def _scores(
    offsets: Offsets,
    data: Bytes,
    moves: NDArray[np.uint32],
    rows: NDArray[np.uint32],
    features: NDArray[np.int32],
    weights: NDArray[np.float32],
    priors: NDArray[np.float32],
) -> NDArray[np.float32]:
    scores = np.zeros((len(offsets) - 1, len(priors)), np.float32)
    visits = np.zeros(len(weights), np.int64)
    for text in range(len(scores)):
        seen, state = [np.int32(0) for _ in range(0)], np.int64(0)
        for at in range(offsets[text], offsets[text + 1]):
            state = np.int64(moves[(np.int64(rows[state]) << 8) + data[at]])
            feature = features[state]
            if feature >= 0:
                if visits[feature] == 0:
                    seen.append(feature)
                visits[feature] += 1
        for feature in seen:
            weight = np.float32(np.log1p(visits[feature]))
            for language in range(len(priors)):
                scores[text, language] += weight * weights[feature, language]
            visits[feature] = 0
        if len(seen):
            scores[text] += priors
    return scores
