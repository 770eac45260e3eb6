"""Turn a text of each row into a vector, for stages that ask which rows are alike.

An embedding model reads the text as it stands, without a chat template. Sentence encoders bring
their own way of making one vector of a text's states; of a chat model the state of the last token
is usual (deita, Liu et al., 2023, arXiv 2312.15685), set by `pooling` in the model's entry.
Vectors of length 1, the default, make cosines of dot products; a model's raw ones keep how strongly
it responds. A model computes the vector of a text once: it is kept in the user's cache for other
runs and recipes.

What does not fit the model's window plays no part; how many tokens that were is kept for each row.

Reads: the columns of the texts named.
Writes: embedding; embedding_n_truncated, tokens cut off; or the same of embedding_rejected.
Drops: `empty_text`, `truncated` (if the recipe takes no truncated ones), `not_finite` (or without a
    direction, where a length of 1 is wanted), `engine_<kind>`.
Cost: one forward pass over each text that the cache does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from schemas.batch import Batch
from schemas.columns import MESSAGES, ROW_ID
from schemas.models import Embedding
from schemas.selection import (
    EMBEDDING,
    EMBEDDING_REJECTED,
    EMBEDDING_REJECTED_TRUNCATED,
    EMBEDDING_TRUNCATED,
)
from schemas.stage import Context, ModelRole, Need, Stage, StageConfig
from stages._embedded import embedded, vectors_of
from stages._texts import Texts, text_columns

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    """Settings of `embed`."""

    model: ModelRole = Field(description="The embedding model; its entry says `kind: embedding`.")
    text: Texts = Field(
        ("prompt",),
        description="Which texts of a row: `prompt`, `conversation`, `system`, `answer`, `chosen`, "
        "`rejected`; several are joined by a line break.",
    )
    column: Literal["embedding", "embedding_rejected"] = Field(
        "embedding",
        description="Where the vector goes. A pair has one with either answer by two such steps, "
        "the one with the rejected answer in `embedding_rejected`.",
    )
    unit: bool = Field(True, description="Scale each vector to length 1; false leaves it as it is.")
    allow_truncated: bool = Field(
        True, description="Whether a text may be embedded of which only a part fits the window."
    )


_WRITTEN = {
    EMBEDDING.name: (EMBEDDING, EMBEDDING_TRUNCATED),
    EMBEDDING_REJECTED.name: (EMBEDDING_REJECTED, EMBEDDING_REJECTED_TRUNCATED),
}
"""The columns of the vector and of the tokens that it lacks."""


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Embed the text of every row; see the module's text."""
    kept, rejects = embedded(
        batch,
        config.text,
        context.embedder(config.model),
        directed=config.unit,
        allow_truncated=config.allow_truncated,
    )
    return Batch(_table(kept, config), rejects)


def _table(kept: Mapping[str, Embedding], config: Config) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    schema = arrow_schema((ROW_ID, *_WRITTEN[config.column]))
    if not kept:
        return schema.empty_table()
    vectors = vectors_of(kept.values(), unit=config.unit)
    ends = np.arange(len(kept) + 1, dtype=np.int32) * vectors.shape[1]
    lists = pa.ListArray.from_arrays(ends, vectors.ravel(), type=schema.field(config.column).type)
    truncated = pa.array([one.n_truncated for one in kept.values()], type=pa.int64())
    return pa.Table.from_arrays([pa.array(list(kept)), lists, truncated], schema=schema)


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("embed",))),)


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=text_columns(config.text), writes=_WRITTEN[config.column])


STAGE = Stage(
    name="embed",
    version=1,
    summary="Turn a text of each row into a vector",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES,),
    writes=_WRITTEN[EMBEDDING.name],
    needs=_needs,
    fitted=_fitted,
)
