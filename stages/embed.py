"""Turn a text of each row into a vector, for stages that ask which rows are alike.

An embedding model reads the text as it stands, without a chat template. Sentence encoders bring
their own way of making one vector of a text's states; of a chat model the state of the last token
is usual (deita, Liu et al., 2023, arXiv 2312.15685), set by `pooling` in the model's entry.
Vectors of length 1, the default, make cosines of dot products; a model's raw ones keep how strongly
it responds. A model computes the vector of a text once: it is kept in the user's cache for other
runs and recipes.

What does not fit the model's window plays no part; how many tokens that were is kept for each row.

Reads: the columns of the texts named.
Writes: embedding; embedding_n_truncated, tokens cut off; with `both_answers` embedding_rejected.
Drops: `empty_text`, `truncated` (if the recipe takes no truncated ones), `not_finite` (or without a
    direction, where a length of 1 is wanted), `engine_<kind>`.
Cost: one forward pass over each text that the cache does not have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject
from schemas.columns import (
    EMBEDDING,
    EMBEDDING_REJECTED,
    EMBEDDING_TRUNCATED,
    MESSAGES,
    ROW_ID,
)
from schemas.layouts import is_blank
from schemas.models import Embedding, EmbedRequest, Failure
from schemas.rejects import engine_code
from schemas.stage import Context, ModelRole, Need, Stage, StageConfig
from stages._texts import TextName, Texts, text_columns, texts_of

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
    both_answers: bool = Field(
        False,
        description="Embed the texts with `rejected` in the place of `chosen`, too: the column "
        "`embedding_rejected`.",
    )
    unit: bool = Field(True, description="Scale each vector to length 1; false leaves it as it is.")
    allow_truncated: bool = Field(
        True, description="Whether a text may be embedded of which only a part fits the window."
    )

    @model_validator(mode="after")
    def _has_one_answer(self) -> Self:
        if self.both_answers and ("chosen" not in self.text or "rejected" in self.text):
            raise ValueError("`both_answers` needs `chosen` in `text`, and `rejected` not in it")
        return self


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Embed the texts of every row; see the module's text."""
    ids: list[str] = batch.table.column(ROW_ID.name).to_pylist()
    sides = [texts_of(batch.table, names).to_pylist() if ids else [] for names in _sides(config)]
    results = _ask(ids, sides, config, context)
    kept: dict[str, list[Embedding]] = {}
    rejects: list[Reject] = []
    for place, row_id in enumerate(ids):
        found = [side.get(row_id) for side in results]
        reject = _reject(row_id, found, [texts[place] for texts in sides], config)
        if reject is None:
            kept[row_id] = [result for result in found if isinstance(result, Embedding)]
        else:
            rejects.append(reject)
    return Batch(_table(kept, config), tuple(rejects))


Result = Embedding | Failure | None
"""What the model says of a text; None of one that it was not asked about."""


def _sides(config: Config) -> list[tuple[TextName, ...]]:
    """The texts of each vector that a row gets."""
    if not config.both_answers:
        return [config.text]
    other: list[TextName] = ["rejected" if name == "chosen" else name for name in config.text]
    return [config.text, tuple(other)]


def _ask(
    ids: Sequence[str], sides: Sequence[Sequence[str]], config: Config, context: Context
) -> list[dict[str, Embedding | Failure]]:
    """By side and row_id what the model says; it is not asked about a blank text."""
    asked = [
        (side, row_id, text)
        for side, texts in enumerate(sides)
        for row_id, text in zip(ids, texts, strict=True)
        if not is_blank(text)
    ]
    requests = [EmbedRequest(f"{row_id}/{side}", text) for side, row_id, text in asked]
    results = context.embedder(config.model).embed(requests) if requests else []
    found: list[dict[str, Embedding | Failure]] = [{} for _ in sides]
    for (side, row_id, _), result in zip(asked, results, strict=True):
        found[side][row_id] = result
    return found


def _reject(
    row_id: str, found: Sequence[Result], texts: Sequence[str], config: Config
) -> Reject | None:
    """The reject of a row of which a text has no vector."""
    for result, text in zip(found, texts, strict=True):
        if (objection := _objection(result, config)) is not None:
            raw = (isinstance(result, Failure) and result.raw) or text
            return Reject(row_id, *objection, raw)
    return None


def _objection(result: Result, config: Config) -> tuple[str, str] | None:
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


def _table(kept: Mapping[str, Sequence[Embedding]], config: Config) -> pa.Table:
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    schema = arrow_schema((ROW_ID, *_fitted(config).writes))
    if not kept:
        return schema.empty_table()
    truncated = [sum(one.n_truncated for one in found) for found in kept.values()]
    vectors = [_lists(side, config.unit, schema) for side in zip(*kept.values(), strict=True)]
    arrays = [pa.array(list(kept)), vectors[0], pa.array(truncated, pa.int64()), *vectors[1:]]
    return pa.Table.from_arrays(arrays, schema=schema)


def _lists(found: Sequence[Embedding], is_unit: bool, schema: pa.Schema) -> pa.ListArray:
    import numpy as np
    import pyarrow as pa

    vectors = np.stack([np.frombuffer(one.vector, np.float32) for one in found])
    vectors = vectors.astype(np.float64)
    if is_unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ends = np.arange(len(found) + 1, dtype=np.int32) * vectors.shape[1]
    kind = schema.field(EMBEDDING.name).type
    return pa.ListArray.from_arrays(ends, vectors.ravel(), type=kind)


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("embed",))),)


def _fitted(config: Config) -> Stage[Config]:
    reads = text_columns([name for names in _sides(config) for name in names])
    writes = (*STAGE.writes, *((EMBEDDING_REJECTED,) if config.both_answers else ()))
    return replace(STAGE, reads=reads, writes=writes)


STAGE = Stage(
    name="embed",
    version=1,
    summary="Turn a text of each row into a vector",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES,),
    writes=(EMBEDDING, EMBEDDING_TRUNCATED),
    needs=_needs,
    fitted=_fitted,
)
