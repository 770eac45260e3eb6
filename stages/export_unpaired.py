"""Write answers that were marked one by one as rows for KTO and BCO trainers (layout `trl`).

As `export_kto`, whose rows have the same columns, but from `unpair` and not from pairs. The card
tells the class balance and the weights that TRL advises. TRL has a trainer for BCO up to version
1.13, `trl.experimental.bco`; its KTO trainer stays.

Reads: messages, answer with label, score, ids and place, labeller, source, lineage.
Writes: prompt, completion (messages), label, score and ids; `order` sorts the dataset, in which
    the answers of a prompt stand far apart, also of one that came in several rows.
Drops: `duplicate`, the same answer to the same prompt with the same label (the least row_id stays);
    `label_conflict`, with both labels.
Cost: none; the second pass holds some 400 bytes a row.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Row, make_batch
from schemas.columns import ANSWER, LABELLER, LINEAGE, MESSAGES, ROW_ID, SOURCE
from schemas.layouts import (
    COMPLETION,
    LABEL,
    MODEL,
    ORDER,
    PROMPT,
    RESPONSE_ID,
    SCORE,
    answer_fault,
    prompt_fault,
    refuse,
)
from schemas.stage import Context, DatasetPass, Stage, StageConfig
from stages._unary import apply, decide, sketch

_KEPT = (LABEL, SCORE, LABELLER, RESPONSE_ID, MODEL, SOURCE, LINEAGE, ORDER)


class Config(StageConfig):
    """Settings of `export_unpaired`."""

    layout: Literal["trl"] = Field("trl", description="Whose column layout: `trl`.")


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One row per answer.

    Raises:
        ExportRefused: an empty answer, or a prompt that does not end on a user turn.
    """
    return make_batch((ROW_ID, *STAGE.writes), [_row(row) for row in batch.rows])


def _row(row: Row) -> dict[str, Any]:
    text = row[ANSWER.name]
    if fault := prompt_fault(row[MESSAGES.name]) or answer_fault(COMPLETION.name, text):
        raise refuse(row[ROW_ID.name], fault)
    return {
        ROW_ID.name: row[ROW_ID.name],
        PROMPT.name: row[MESSAGES.name],
        COMPLETION.name: [{"role": "assistant", "content": text}],
        **{column.name: row[column.name] for column in _KEPT},
    }


STAGE = Stage(
    name="export_unpaired",
    version=2,
    summary="Write answers marked one by one for KTO and BCO trainers",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES, ANSWER, *_KEPT),
    writes=(PROMPT, COMPLETION, *_KEPT),
    drops=(MESSAGES, ANSWER),
    dataset_pass=DatasetPass(sketch, decide, apply),
)
