"""Write the answers of pairs as single rows for KTO trainers (layout `trl`), each answer once.

KTO (Ethayarajh et al., 2024, arXiv 2402.01306) learns from answers marked desirable or not. Two
facts of TRL's trainer decide the form:
  * it takes one-class data without a word, and its loss then never leaves 0.5: refused here;
  * its KL term gives each prompt the answer of the row before it in the batch, and it reads rows
    in file order. So the two rows of a pair must not be neighbours. Each pair gets a hashed
    place on a circle, and its rejected answer stands half a circle further on: between the two
    lies exactly one row of every other pair, and labels are mixed as by coin flips. Of a prompt
    with several pairs, the second pass spreads all answers evenly around the circle.

Reads: messages, the pair's answers, scores, ids, models, lineage.
Writes: prompt, completion (messages), label, score and ids; `order` sorts the dataset.
Drops: `duplicate`, an answer that another pair of the same prompt brings with the same label (the
    least row_id stays); `label_conflict`, an answer that is chosen in one pair and rejected in
    another of the same prompt.
Cost: none; the second pass holds some 400 bytes a row.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Row, make_batch
from schemas.columns import (
    CHOSEN,
    CHOSEN_ID,
    CHOSEN_MODEL,
    LABELLER,
    LINEAGE,
    MARGIN,
    MESSAGES,
    P_CHOSEN,
    REJECTED,
    REJECTED_ID,
    REJECTED_MODEL,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SOURCE,
    Column,
)
from schemas.ids import child_id
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
from stages._unary import apply, decide, place_of, sketch

_SIDES: dict[bool, tuple[Column, Column, Column, Column]] = {
    True: (CHOSEN, CHOSEN_ID, CHOSEN_MODEL, SCORE_CHOSEN),
    False: (REJECTED, REJECTED_ID, REJECTED_MODEL, SCORE_REJECTED),
}


class Config(StageConfig):
    """Settings of `export_kto`."""

    layout: Literal["trl"] = Field("trl", description="Whose column layout: `trl`.")


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Two rows per pair: the chosen answer with label true, the rejected one with false.

    Raises:
        ExportRefused: an empty answer, or a prompt that does not end on a user turn.
    """
    rows = [_row(row, label, context.stage) for row in batch.rows for label in _SIDES]
    return make_batch((ROW_ID, *STAGE.writes), rows)


def _row(row: Row, label: bool, stage: str) -> dict[str, Any]:
    parent = row[ROW_ID.name]
    text, response_id, model, score = (row[column.name] for column in _SIDES[label])
    if fault := prompt_fault(row[MESSAGES.name]) or answer_fault(COMPLETION.name, text):
        raise refuse(parent, fault)
    return {
        ROW_ID.name: child_id(parent, stage, response_id),
        PROMPT.name: row[MESSAGES.name],
        COMPLETION.name: [{"role": "assistant", "content": text}],
        LABEL.name: label,
        SCORE.name: score,
        LABELLER.name: row[LABELLER.name],
        RESPONSE_ID.name: response_id,
        MODEL.name: model,
        SOURCE.name: row[SOURCE.name],
        LINEAGE.name: [*row[LINEAGE.name], {"stage": stage, "row_id": parent}],
        ORDER.name: place(parent, label),
    }


def place(pair: str, label: bool) -> int:
    """Where a row stands in the dataset: the two rows of a pair are half a circle apart."""
    return place_of(pair, 0 if label else 1, 2)


def desirable_weight_range(n_desirable: int, n_undesirable: int) -> tuple[float, float]:
    """TRL's advice for `desirable_weight` when `undesirable_weight` is 1.

    The weighted ratio of desirable to undesirable rows should lie in [1, 4/3] (TRL 1.16,
    `docs/source/kto_trainer.md`; its trainer takes 1.33, and warns outside).
    """
    even = n_undesirable / n_desirable
    return even, even * 1.33


_PAIR = (CHOSEN, REJECTED, CHOSEN_ID, REJECTED_ID, CHOSEN_MODEL, REJECTED_MODEL)
_PAIR_SCORES = (SCORE_CHOSEN, SCORE_REJECTED)

STAGE = Stage(
    name="export_kto",
    version=2,
    summary="Write rows for KTO trainers: prompt, completion, label",
    config=Config,
    run=run,
    effect="expand",
    reads=(MESSAGES, *_PAIR, *_PAIR_SCORES, LABELLER, SOURCE, LINEAGE),
    writes=(
        PROMPT,
        COMPLETION,
        LABEL,
        SCORE,
        LABELLER,
        RESPONSE_ID,
        MODEL,
        SOURCE,
        LINEAGE,
        ORDER,
    ),
    drops=(MESSAGES, *_PAIR, *_PAIR_SCORES, MARGIN, P_CHOSEN),
    dataset_pass=DatasetPass(sketch, decide, apply),
)
