"""What the prompts are about: clusters of a sample of them, with examples.

By the run's own embeddings where it has some; else by TF-IDF of words, reduced to their main
directions (latent semantic analysis). k-means, seeded: the same rows give the same clusters.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.report.facts import Facts
from pipeline.report.measures import last_texts
from pipeline.report.rows import RowSet
from pipeline.runtime.labelled import columns_of, tables_of
from schemas.columns import MESSAGES
from schemas.selection import EMBEDDING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float64]

SEED = 7
SAMPLE = 2_000
"""Prompts at most that are clustered."""
LEAST = 8
"""Fewest different prompts of which clusters say anything."""
_MOST_CLUSTERS = 12
_DIRECTIONS = 48
_EXAMPLES = 3
_TERMS = 4
_READ = 4_000
"""Characters of a prompt whose words count: enough to say what it is about."""
_WORD = r"(?u)\b[^\W\d]\w+\b"
"""Two letters or more: numbers say little of what a prompt is about."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Prompts that are alike.

    Attributes:
        share: of the sample.
        terms: words that stand out in them, for a name.
        examples: the prompts nearest to its middle.
    """

    share: float
    terms: tuple[str, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The clusters, the largest first.

    Attributes:
        method: what alike means, in words.
        sampled: how many different prompts were clustered.
    """

    method: str
    sampled: int
    clusters: tuple[Cluster, ...]


def coverage_of(facts: Facts, rows: RowSet) -> Coverage | None:
    """The clusters of the rows' prompts; None if there are too few, or without words."""
    embedded = _embedded(facts)
    vectors: Vectors | None
    if embedded is not None:
        step, prompts, vectors = embedded
        method = f"by the embeddings of the step `{step}`"
    else:
        prompts = _prompts(rows)
        vectors = _word_directions(prompts) if len(prompts) >= LEAST else None
        method = "by their words (TF-IDF, latent semantic analysis)"
    if vectors is None or len(prompts) < LEAST:
        return None
    return Coverage(method, len(prompts), tuple(_clusters(prompts, vectors)))


def _prompts(rows: RowSet) -> list[str]:
    """A sample of the different prompts, each by its last turn."""
    if rows.prompt is None:
        return []
    import pyarrow as pa

    chosen: list[str] = []
    for table in rows.tables([rows.prompt]):
        texts = last_texts(table.column(0))
        chosen += texts.take(pa.array(_some_of(len(texts), rows.rows), pa.int64())).to_pylist()
    return _sample(sorted(set(chosen)))


def _some_of(here: int, all_rows: int) -> list[int]:
    """Places of a part's rows to look at: so many that their prompts fill the sample."""
    wanted = 4 * SAMPLE
    if all_rows <= wanted:
        return list(range(here))
    return sorted(random.Random(SEED).sample(range(here), -(-here * wanted // all_rows)))


def _sample(prompts: list[str]) -> list[str]:
    return sorted(random.Random(SEED).sample(prompts, min(SAMPLE, len(prompts))))


def _embedded(facts: Facts) -> tuple[str, list[str], Vectors] | None:
    """The last step whose rows have embeddings: its name, different prompts and their vectors."""
    import numpy as np

    for line in reversed(facts.steps):
        step = facts.status_of(line)
        if step is None or not {EMBEDDING.name, MESSAGES.name} <= columns_of(step):
            continue
        found: dict[str, list[float]] = {}
        for table in tables_of(step):
            part = table.take(_some_of(len(table), line.rows_out))
            texts = last_texts(part.column(MESSAGES.name)).to_pylist()
            found |= zip(texts, part.column(EMBEDDING.name).to_pylist(), strict=True)
        prompts = _sample(sorted(found))
        return line.name, prompts, np.asarray([found[prompt] for prompt in prompts])
    return None


def _word_directions(prompts: Sequence[str]) -> Vectors | None:
    """A vector for each prompt; None if there are no words in them."""
    import numpy as np
    from sklearn.decomposition import TruncatedSVD

    found = _words(prompts)
    if found is None:
        return None
    weights, terms = found
    directions = min(_DIRECTIONS, len(terms) - 1, len(prompts) - 1)
    if directions < 2:
        return None
    with np.errstate(all="ignore"):  # of prompts that are all alike, shares of no variance
        reduced: Vectors = TruncatedSVD(directions, random_state=SEED).fit_transform(weights)
    return reduced


def _words(prompts: Sequence[str]) -> tuple[Any, Sequence[str]] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        sublinear_tf=True, stop_words="english", max_features=20_000, token_pattern=_WORD
    )
    try:
        weights = vectorizer.fit_transform([prompt[:_READ] for prompt in prompts])
    except ValueError:  # not a word that is left
        return None
    return weights, vectorizer.get_feature_names_out()


def _clusters(prompts: Sequence[str], vectors: Vectors) -> list[Cluster]:
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import normalize

    points = normalize(vectors)
    k = int(min(_MOST_CLUSTERS, max(2, round((len(prompts) / 4) ** 0.5))))
    k = min(k, len(np.unique(points.round(6), axis=0)))
    fitted = KMeans(k, n_init=4, random_state=SEED).fit(points)
    distances = fitted.transform(points)
    words = _words(prompts)
    clusters = []
    for number in range(k):
        members = np.flatnonzero(fitted.labels_ == number)
        nearest = members[np.argsort(distances[members, number], kind="stable")[:_EXAMPLES]]
        clusters.append(
            Cluster(
                len(members) / len(prompts),
                _standing_out(words, members),
                tuple(prompts[place] for place in nearest),
            )
        )
    return sorted(clusters, key=lambda cluster: (-cluster.share, cluster.examples))


def _standing_out(words: tuple[Any, Sequence[str]] | None, members: Any) -> tuple[str, ...]:
    """The words that weigh most in some prompts, against all of them."""
    import numpy as np

    if words is None:
        return ()
    weights, terms = words
    here = np.asarray(weights[members].mean(axis=0)).ravel()
    ahead = here - np.asarray(weights.mean(axis=0)).ravel()
    best = np.argsort(-ahead, kind="stable")[:_TERMS]
    return tuple(str(terms[place]) for place in best if ahead[place] > 0)
