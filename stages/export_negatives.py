"""Write negatives as rows for D2O: a prompt, a rejected answer, and the model's own samples.

The layout `d2o` is the paper's (Duan et al., 2024, arXiv 2403.03419): there is no chosen answer.

Reads: messages, rejected with score and model, self_samples, labeller, source, lineage.
Writes: prompt, rejected (messages), self_samples (a list of messages each); the rest unchanged.
Drops: nothing; raises ExportRefused for a row that would train nothing: an empty answer, no
    samples, or one that is the same text as `rejected`.
Cost: none.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Row, make_batch
from schemas.columns import (
    LABELLER,
    LINEAGE,
    MESSAGES,
    REJECTED,
    REJECTED_MODEL,
    ROW_ID,
    SCORE_REJECTED,
    SELF_SAMPLES,
    SOURCE,
)
from schemas.layouts import (
    PROMPT,
    REJECTED_TURN,
    SELF_COMPLETIONS,
    answer_fault,
    prompt_fault,
    refuse,
    same_text,
)
from schemas.stage import Context, Stage, StageConfig

_KEPT = (SCORE_REJECTED, LABELLER, REJECTED_MODEL, SOURCE, LINEAGE)


class Config(StageConfig):
    """Settings of `export_negatives`."""

    layout: Literal["d2o"] = Field("d2o", description="The only column layout: `d2o`.")


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One row per negative.

    Raises:
        ExportRefused: a row from which nothing can be learnt.
    """
    return make_batch((ROW_ID, *STAGE.writes), [_row(row) for row in batch.rows])


def _row(row: Row) -> dict[str, Any]:
    rejected = row[REJECTED.name]
    samples = [sample["text"] for sample in row[SELF_SAMPLES.name]]
    if fault := prompt_fault(row[MESSAGES.name]) or _fault(rejected, samples):
        raise refuse(row[ROW_ID.name], fault)
    return {
        ROW_ID.name: row[ROW_ID.name],
        PROMPT.name: row[MESSAGES.name],
        REJECTED_TURN.name: _turn(rejected),
        SELF_COMPLETIONS.name: [_turn(text) for text in samples],
        **{column.name: row[column.name] for column in _KEPT},
    }


def _turn(text: str) -> list[Row]:
    return [{"role": "assistant", "content": text}]


def _fault(rejected: str | None, samples: list[str]) -> str | None:
    if fault := answer_fault(REJECTED.name, rejected):
        return fault
    if not samples:
        return "there are no samples to set against `rejected`"
    for text in samples:
        if fault := answer_fault(SELF_SAMPLES.name, text):
            return fault
        if same_text(text, rejected or ""):
            return "a sample is the same text as `rejected`"
    return None


STAGE = Stage(
    name="export_negatives",
    version=1,
    summary="Write rows for D2O: prompt, a rejected answer, the model's own samples",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES, REJECTED, SELF_SAMPLES, *_KEPT),
    writes=(PROMPT, REJECTED_TURN, SELF_COMPLETIONS, *_KEPT),
    drops=(MESSAGES,),
)
