"""Stages that do nothing but ask their model once per row: a plugin, found by its entry points."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from schemas.batch import Batch
from schemas.columns import LINEAGE, ROW_ID, SOURCE, Column
from schemas.models import GenerateRequest, Prompt, Sampling
from schemas.stage import Context, ModelRole, Need, Positions, Stage, StageConfig
from schemas.types import STRING

TEXT = Column("text", STRING, "what the model said")

_PROMPT = Prompt("Say something.")
_SAMPLING = Sampling()


class Config(StageConfig):
    model: ModelRole = Field(description="Who is asked.")
    rows: int = Field(1000, ge=1, description="How many rows.")


class ExportConfig(StageConfig):
    layout: str = Field("trl", description="Not looked at.")


def ask(batch: Batch, config: Config, context: Context) -> Batch:
    """One request per row."""
    import pyarrow as pa

    from schemas.arrow import arrow_schema

    schema = arrow_schema((ROW_ID, TEXT, SOURCE, LINEAGE))
    ids = batch.table.column(ROW_ID.name).to_pylist()
    requests = [
        GenerateRequest(row_id, _PROMPT, _SAMPLING, number) for number, row_id in enumerate(ids)
    ]
    answers: list[Any] = context.model(config.model).generate(requests)
    columns = [ids, [answer.text for answer in answers], ["noop"] * len(ids), [[]] * len(ids)]
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)]
    return Batch(pa.Table.from_arrays(arrays, schema=schema))


def same(batch: Batch, config: ExportConfig, context: Context) -> Batch:
    """The rows as they come."""
    return Batch(batch.table.select([ROW_ID.name, TEXT.name, SOURCE.name]))


STAGE = Stage(
    name="noop",
    version=1,
    summary="Ask a model once per row",
    config=Config,
    run=ask,
    effect="source",
    writes=(TEXT, SOURCE, LINEAGE),
    feed=lambda config: Positions(config.rows),
    needs=lambda config: (Need("model", config.model, frozenset(("generate",))),),
)
EXPORT = Stage(
    name="export_noop",
    version=1,
    summary="Write what the model said",
    config=ExportConfig,
    run=same,
    effect="map",
    reads=(TEXT, SOURCE),
    writes=(TEXT, SOURCE),
)
