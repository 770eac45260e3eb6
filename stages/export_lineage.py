"""Write where each row came from, for whoever audits or looks at a dataset; no text, no trainer.

Rows have the `row_id` of the rows of `dpo`; those of `kto` are children of theirs, and name them
last in their `lineage`. Having no prompt, all are in the split `train`.

Reads: source, lineage; whatever else is known of the row: labeller, answers by id and model,
    scores, goals.
Writes: the same; null, or an empty list, where no stage made it.
Drops: nothing.
Cost: none; some 100 bytes a row, most of them the ids of its ancestors.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.batch import Batch
from schemas.columns import (
    CHOSEN_ID,
    CHOSEN_MODEL,
    GOALS,
    LABEL_SMOOTHING,
    LABELLER,
    LINEAGE,
    MARGIN,
    P_CHOSEN,
    REJECTED_ID,
    REJECTED_MODEL,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SOURCE,
)
from schemas.stage import Context, Stage, StageConfig

_IF_KNOWN = tuple(
    replace(column, nullable=True)
    for column in (
        LABELLER,
        CHOSEN_ID,
        REJECTED_ID,
        CHOSEN_MODEL,
        REJECTED_MODEL,
        SCORE_CHOSEN,
        SCORE_REJECTED,
        MARGIN,
        P_CHOSEN,
        LABEL_SMOOTHING,
    )
)


class Config(StageConfig):
    """Settings of `export_lineage`: there are none."""


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One row per row, without its texts."""
    return Batch(batch.table.select([ROW_ID.name, *(column.name for column in STAGE.writes)]))


STAGE = Stage(
    name="export_lineage",
    version=1,
    summary="Write where each row came from: ancestors, models, scores; no texts",
    config=Config,
    run=run,
    effect="map",
    reads=(SOURCE, LINEAGE),
    optional=(*_IF_KNOWN, GOALS),
    writes=(SOURCE, LINEAGE, *_IF_KNOWN, GOALS),
)
