"""Write the answers of pairs as single rows for KTO trainers (layout `trl`), each answer once.

KTO (Ethayarajh et al., 2024, arXiv 2402.01306) learns from answers marked desirable or not. Two
facts of TRL's trainer decide the form:
  * it takes one-class data without a word, and its loss then never leaves 0.5: refused here;
  * its KL term gives each prompt the answer of the row before it in the batch, and it reads rows
    in file order. So the two rows of a pair must not be neighbours. Each pair gets a hashed
    place on a circle, and its rejected answer stands half a circle further on: between the two
    lies exactly one row of every other pair, and labels are mixed as by coin flips.

Reads: messages, the pair's answers, scores, ids, models, lineage.
Writes: prompt, completion (messages), label, score and ids; `order` sorts the dataset.
Drops: `duplicate`, an answer that another pair of the same prompt brings with the same label (the
    least row_id stays); `label_conflict`, an answer that is chosen in one pair and rejected in
    another of the same prompt. Raises ExportRefused.
Cost: none; the second pass holds some 100 bytes a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Reject, Row, make_batch
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
from schemas.errors import ExportRefused
from schemas.ids import child_id, digest
from schemas.layouts import (
    COMPLETION,
    LABEL,
    MODEL,
    ORDER,
    ORDER_BITS,
    PROMPT,
    RESPONSE_ID,
    SCORE,
    answer_fault,
    prompt_fault,
    refuse,
)
from schemas.stage import Context, DatasetPass, Stage, StageConfig

_SIDES: dict[bool, tuple[Column, Column, Column, Column]] = {
    True: (CHOSEN, CHOSEN_ID, CHOSEN_MODEL, SCORE_CHOSEN),
    False: (REJECTED, REJECTED_ID, REJECTED_MODEL, SCORE_REJECTED),
}
_CIRCLE = 1 << ORDER_BITS


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
    start = int(digest("place", pair), 16) % _CIRCLE
    return (start + (0 if label else _CIRCLE // 2)) % _CIRCLE


def desirable_weight_range(n_desirable: int, n_undesirable: int) -> tuple[float, float]:
    """TRL's advice for `desirable_weight` when `undesirable_weight` is 1.

    The weighted ratio of desirable to undesirable rows should lie in [1, 4/3] (TRL 1.16,
    `docs/source/kto_trainer.md`).
    """
    even = n_undesirable / n_desirable
    return even, even * 4 / 3


@dataclass(frozen=True, slots=True)
class Mark:
    """What the second pass must know of a row: what a trainer would see, and the label on it."""

    seen: str
    label: bool
    row_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Rows to drop, by row_id."""

    duplicates: frozenset[str]
    conflicts: frozenset[str]


def sketch(batch: Batch, config: Config) -> list[Mark]:
    """One mark per row."""
    return [Mark(_seen(row), row[LABEL.name], row[ROW_ID.name]) for row in batch.rows]


def _seen(row: Row) -> str:
    turns = [*row[PROMPT.name], *row[COMPLETION.name]]
    return digest(*(part for turn in turns for part in (turn["role"], turn["content"].strip())))


def decide(sketches: Sequence[list[Mark]], config: Config) -> Decision:
    """Find answers that occur more than once.

    Raises:
        ExportRefused: one label only is left.
    """
    by_text: defaultdict[str, list[Mark]] = defaultdict(list)
    for mark in (mark for part in sketches for mark in part):
        by_text[mark.seen].append(mark)
    groups = list(by_text.values())
    agreed = [group for group in groups if len({mark.label for mark in group}) == 1]
    n_desirable = sum(group[0].label for group in agreed)
    if not 0 < n_desirable < len(agreed):
        raise ExportRefused(
            f"the KTO rows have {n_desirable} desirable and {len(agreed) - n_desirable} "
            "undesirable answers; both must be there, or a trainer runs and learns nothing. "
            "Look at what the stages before rejected."
        )
    ids = [sorted(mark.row_id for mark in group) for group in agreed]
    conflicting = (group for group in groups if len({mark.label for mark in group}) > 1)
    return Decision(
        duplicates=frozenset(row_id for group in ids for row_id in group[1:]),
        conflicts=frozenset(mark.row_id for group in conflicting for mark in group),
    )


def apply(batch: Batch, config: Config, decision: Decision) -> Batch:
    """Drop what was decided."""
    import pyarrow as pa

    rejects = [reject for row in batch.rows if (reject := _reject(row, decision))]
    gone = {reject.row_id for reject in rejects}
    keep = [row_id not in gone for row_id in batch.table.column(ROW_ID.name).to_pylist()]
    return Batch(batch.table.filter(pa.array(keep, type=pa.bool_())), tuple(rejects))


def _reject(row: Row, decision: Decision) -> Reject | None:
    row_id, text = row[ROW_ID.name], row[COMPLETION.name][0]["content"]
    if row_id in decision.conflicts:
        message = "the answer is chosen in one pair of this prompt and rejected in another"
        return Reject(row_id, "label_conflict", message, text)
    if row_id in decision.duplicates:
        message = "another pair of this prompt brings the same answer with the same label"
        return Reject(row_id, "duplicate", message, text)
    return None


_PAIR = (CHOSEN, REJECTED, CHOSEN_ID, REJECTED_ID, CHOSEN_MODEL, REJECTED_MODEL)
_PAIR_SCORES = (SCORE_CHOSEN, SCORE_REJECTED)

STAGE = Stage(
    name="export_kto",
    version=1,
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
