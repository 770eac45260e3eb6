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

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from schemas.batch import Batch, Reject
from schemas.columns import MESSAGES, ROW_ID
from schemas.layouts import is_blank
from schemas.models import Embedding, EmbedRequest, Failure
from schemas.rejects import engine_code
from schemas.selection import (
    EMBEDDING,
    EMBEDDING_REJECTED,
    EMBEDDING_REJECTED_TRUNCATED,
    EMBEDDING_TRUNCATED,
)
from schemas.stage import Context, ModelRole, Need, Stage, StageConfig
from stages._texts import Texts, text_columns, texts_of

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
    ids: list[str] = batch.table.column(ROW_ID.name).to_pylist()
    texts: list[str] = texts_of(batch.table, config.text).to_pylist() if ids else []
    results = _ask(ids, texts, config, context)
    kept: dict[str, Embedding] = {}
    rejects: list[Reject] = []
    for row_id, text in zip(ids, texts, strict=True):
        result = results.get(row_id)
        objection = _objection(result, config)
        if objection is None and isinstance(result, Embedding):
            kept[row_id] = result
        elif objection is not None:
            raw = (isinstance(result, Failure) and result.raw) or text
            rejects.append(Reject(row_id, *objection, raw))
    return Batch(_table(kept, config), tuple(rejects))


def _ask(
    ids: Sequence[str], texts: Sequence[str], config: Config, context: Context
) -> dict[str, Embedding | Failure]:
    """What the model says of each row's text; a blank text is not asked about."""
    pairs = zip(ids, texts, strict=True)
    requests = [EmbedRequest(row_id, text) for row_id, text in pairs if not is_blank(text)]
    results = context.embedder(config.model).embed(requests) if requests else []
    return {result.request_id: result for result in results}


def _objection(result: Embedding | Failure | None, config: Config) -> tuple[str, str] | None:
    """Code and message of why a row has no vector; None if it has one."""
    if result is None:
        return "empty_text", f"nothing in {', '.join(config.text)} that could be embedded"
    if isinstance(result, Failure):
        return engine_code(result), result.message
    if result.n_truncated and not config.allow_truncated:
        read = f"{result.n_prompt_tokens} tokens fit the embedding model's window"
        return "truncated", f"{read}, {result.n_truncated} more do not"
    length = _length(result)
    if not math.isfinite(length) or (config.unit and not length):
        return "not_finite", f"the length of its vector is {length:g}; `dtype: float32` may help"
    return None


def _length(result: Embedding) -> float:
    import numpy as np

    return float(np.linalg.norm(np.frombuffer(result.vector, np.float32).astype(np.float64)))


def _table(kept: Mapping[str, Embedding], config: Config) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    schema = arrow_schema((ROW_ID, *_WRITTEN[config.column]))
    if not kept:
        return schema.empty_table()
    vectors = np.stack([np.frombuffer(one.vector, np.float32) for one in kept.values()])
    vectors = vectors.astype(np.float64)
    if config.unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
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
