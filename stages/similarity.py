"""Score each row by how alike its text is to examples of a target, as an embedding model sees it.

A row's score is the cosine of its vector with that of an example: the mean over all examples, the
highest, or the mean of the `top_m` highest. It is what representation-based data selection goes by
(RDS; Ivison et al., 2025, arXiv 2503.01807, with the hidden states of a language model, ahead of
costlier methods on pools of up to 5.8 million rows; they go through the examples in turn, where the
scores here are one list). Nothing is dropped for a low score: `filter` does that by a threshold
(`where: target_similarity > 0.4`), `quality_mix` by a count (`by: target_similarity`), alone or
together with other numbers.

A chat model's vectors lie close to each other, whatever the text; a sentence encoder's do not.
Vectors are kept in the user's cache, so a text that `embed` has seen costs nothing here.

Reads: the columns of the texts named; the target file.
Writes: target_similarity; target_similarity_n_truncated, tokens that the model did not see.
Drops: `empty_text`, `truncated` (if the recipe takes no truncated ones), `not_finite` (or without a
    direction), `engine_<kind>`.
Cost: one forward pass over each text, and over each example, that the cache does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from schemas.batch import Batch
from schemas.columns import MESSAGES, ROW_ID
from schemas.errors import InputError
from schemas.layouts import is_blank
from schemas.models import Embedding, EmbedRequest
from schemas.selection import TARGET_SIMILARITY, TARGET_SIMILARITY_TRUNCATED
from schemas.stage import Context, ModelRole, Need, Stage
from stages._embedded import embedded, is_usable, vectors_of
from stages._targets import TARGET, ByExampleConfig, given_target, target_texts
from stages._texts import Texts, text_columns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Config(ByExampleConfig):
    """Settings of `similarity`."""

    model: ModelRole = Field(description="The embedding model; its entry says `kind: embedding`.")
    text: Texts = Field(
        ("prompt",),
        description="The texts of a row that are compared: `prompt`, `conversation`, `system`, "
        "`answer`, `chosen`, `rejected`; several are joined by a line break.",
    )
    allow_truncated: bool = Field(
        True, description="Whether a text may count of which only a part fits the window."
    )


class Examples(NamedTuple):
    """The target, seen by the model.

    Attributes:
        vectors: of length 1, shape (examples, dimensions).
        mean: theirs, shape (dimensions,).
    """

    vectors: Floats
    mean: Floats


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Score every row.

    Raises:
        InputError: a target that cannot be read, or an example that the model makes nothing of.
    """
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    examples = context.once("examples", lambda: _examples(config, context))
    kept, rejects = embedded(
        batch,
        config.text,
        context.embedder(config.model),
        directed=True,
        allow_truncated=config.allow_truncated,
    )
    vectors = vectors_of(kept.values(), unit=True) if kept else ()
    scores = similarities(vectors, examples, config.n_best(len(examples.vectors)))
    truncated = [one.n_truncated for one in kept.values()]
    schema = arrow_schema((ROW_ID, *STAGE.writes))
    return Batch(pa.table([list(kept), scores, truncated], schema=schema), rejects)


def similarities(vectors: Iterable[Floats], examples: Examples, n_best: int) -> list[float]:
    """The mean of the `n_best` highest cosines of each vector of length 1 with the examples.

    One vector at a time: a product of matrices rounds by their shapes, and so by how rows are cut
    into parts.
    """
    import numpy as np

    if n_best == len(examples.vectors):
        return [float(examples.mean @ vector) for vector in vectors]
    highest = (np.partition(examples.vectors @ vector, -n_best)[-n_best:] for vector in vectors)
    return [float(np.sort(cosines).mean()) for cosines in highest]


def _examples(config: Config, context: Context) -> Examples:
    texts = target_texts(context.given(TARGET), config.target_field)
    # Sorted, so that sums are made in the same order wherever an example stands.
    texts = sorted(text for text in texts if not is_blank(text))
    if not texts:
        raise InputError(f"{context.stage}: the target has blank examples only; it needs a text.")
    requests = [EmbedRequest(str(n), text) for n, text in enumerate(texts)]
    found: list[Embedding] = []
    results = context.embedder(config.model).embed(requests)
    for text, result in zip(texts, results, strict=True):
        if not isinstance(result, Embedding) or not is_usable(result, directed=True):
            why = "its vector has no direction" if isinstance(result, Embedding) else result.message
            raise InputError(
                f"{context.stage}: the model `{config.model}` has no use for the target's example "
                f"`{text[:60]}`: {why}. Take it out of the file, or use another model."
            )
        found.append(result)
    vectors = vectors_of(found, unit=True)
    return Examples(vectors, vectors.mean(axis=0))


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("embed",))),)


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=text_columns(config.text))


STAGE = Stage(
    name="similarity",
    version=1,
    summary="Score rows by how alike they are to examples of a target, by embeddings (RDS)",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES,),
    writes=(TARGET_SIMILARITY, TARGET_SIMILARITY_TRUNCATED),
    given=given_target,
    needs=_needs,
    fitted=_fitted,
)
