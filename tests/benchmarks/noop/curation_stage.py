"""What benchmarks of curation need beside stages: vectors without a model, rows as they come."""

from __future__ import annotations

import zlib

from pydantic import Field

from schemas.batch import Batch
from schemas.columns import EMBEDDING, MESSAGES, ROW_ID
from schemas.stage import Context, Stage, StageConfig

BUCKETS, DIMENSIONS = 4096, 384


class Config(StageConfig):
    seed: int = Field(1, description="Of the projection.")


class ExportConfig(StageConfig):
    layout: str = Field("trl", description="Not looked at.")


def project(batch: Batch, config: Config, context: Context) -> Batch:
    """Counts of hashed words, logarithmic, by a random projection, of length 1."""
    import numpy as np
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    rows = batch.table.num_rows
    counts = np.zeros((rows, BUCKETS), np.float32)
    for row, messages in enumerate(batch.table.column(MESSAGES.name).to_pylist()):
        words = messages[-1]["content"].split()
        np.add.at(counts[row], [zlib.crc32(word.encode()) % BUCKETS for word in words], 1)
    plane = np.random.default_rng(config.seed).standard_normal((BUCKETS, DIMENSIONS))
    vectors = np.log1p(counts) @ plane.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    schema = arrow_schema((ROW_ID, EMBEDDING))
    ends = np.arange(rows + 1, dtype=np.int32) * DIMENSIONS
    lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(vectors.ravel()))
    ids = batch.table.column(ROW_ID.name).combine_chunks()
    arrays = [ids, lists.cast(schema.field(EMBEDDING.name).type)]
    return Batch(pa.Table.from_arrays(arrays, schema=schema))


def same(batch: Batch, config: ExportConfig, context: Context) -> Batch:
    """The rows as they come."""
    return Batch(batch.table.select([ROW_ID.name, MESSAGES.name]))


PROJECT = Stage(
    name="project",
    version=1,
    summary="Random projections of texts",
    config=Config,
    run=project,
    effect="map",
    reads=(MESSAGES,),
    writes=(EMBEDDING,),
)
EXPORT = Stage(
    name="export_prompts",
    version=1,
    summary="Write prompts",
    config=ExportConfig,
    run=same,
    effect="map",
    reads=(MESSAGES,),
    writes=(MESSAGES,),
)
