"""Write pairs as rows for DPO trainers (layout `trl`: conversational, explicit prompt).

The last line of defence: TRL takes an empty answer, or two equal ones, without a word, and its
loss then never leaves log 2. Such rows, and prompts that do not end on a user turn, are refused
here for the whole export, because a stage before should have rejected them. TRL's reward trainer
takes the same rows, and subtracts `margin`, in the labeller's units, from the gap of its rewards;
of pairs that came without scores `margin` is null, and that trainer needs rows without the column.

Reads: messages, chosen, rejected, their scores, models and lineage; label_smoothing if
    `self_refine` made it.
Writes: prompt, chosen, rejected (messages); the scores, ids and models unchanged. The dataset has
    these columns and `row_id`.
Drops: nothing; raises ExportRefused.
Cost: none.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Row, make_batch
from schemas.columns import (
    CHOSEN,
    CHOSEN_MODEL,
    LABEL_SMOOTHING,
    LABELLER,
    LINEAGE,
    MARGIN,
    MESSAGES,
    P_CHOSEN,
    REJECTED,
    REJECTED_MODEL,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SOURCE,
)
from schemas.layouts import (
    CHOSEN_TURN,
    PROMPT,
    REJECTED_TURN,
    answer_fault,
    prompt_fault,
    refuse,
    same_text,
)
from schemas.stage import Context, Stage, StageConfig

_KEPT = (
    SCORE_CHOSEN,
    SCORE_REJECTED,
    MARGIN,
    P_CHOSEN,
    LABELLER,
    CHOSEN_MODEL,
    REJECTED_MODEL,
    SOURCE,
    LINEAGE,
)


class Config(StageConfig):
    """Settings of `export_dpo`."""

    layout: Literal["trl"] = Field("trl", description="Whose column layout: `trl`.")


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One row per pair.

    Raises:
        ExportRefused: a pair that a trainer would accept and learn nothing from.
    """
    return make_batch((ROW_ID, *STAGE.writes), [_row(row) for row in batch.rows])


def _row(row: Row) -> dict[str, Any]:
    refuse_untrainable(row)
    return {
        ROW_ID.name: row[ROW_ID.name],
        PROMPT.name: row[MESSAGES.name],
        CHOSEN_TURN.name: [{"role": "assistant", "content": row[CHOSEN.name]}],
        REJECTED_TURN.name: [{"role": "assistant", "content": row[REJECTED.name]}],
        **{column.name: row[column.name] for column in (*_KEPT, LABEL_SMOOTHING)},
    }


def refuse_untrainable(row: Row) -> None:
    """Raise ExportRefused for a pair from which nothing can be learnt."""
    chosen, rejected = row[CHOSEN.name], row[REJECTED.name]
    fault = (
        prompt_fault(row[MESSAGES.name])
        or answer_fault(CHOSEN.name, chosen)
        or answer_fault(REJECTED.name, rejected)
        or ("`chosen` and `rejected` are the same text" if same_text(chosen, rejected) else None)
    )
    if fault:
        raise refuse(row[ROW_ID.name], fault)


STAGE = Stage(
    name="export_dpo",
    version=2,
    summary="Write rows for DPO trainers: prompt, chosen, rejected",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES, CHOSEN, REJECTED, *_KEPT),
    optional=(LABEL_SMOOTHING,),
    writes=(PROMPT, CHOSEN_TURN, REJECTED_TURN, *_KEPT, LABEL_SMOOTHING),
    drops=(MESSAGES,),
)
