"""Write answers as rows for supervised fine-tuning (layout `trl`), or plain texts.

TRL's trainer learns the completion of `prompt` and `completion`, and the whole of a plain `text`
(TRL 1.16, `docs/source/dataset_formats.md`). No label plays a part: whatever the stages before let
through is what the model shall do.

Reads: messages, answer; source, lineage.
Writes: prompt and completion (messages); with `plain` text, and no prompt is read.
Drops: nothing; raises ExportRefused.
Cost: none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Row, make_batch
from schemas.columns import ANSWER, LINEAGE, MESSAGES, ROW_ID, SOURCE
from schemas.layouts import COMPLETION, PROMPT, TEXT, answer_fault, prompt_fault, refuse
from schemas.stage import Context, Stage, StageConfig

_KEPT = (SOURCE, LINEAGE)


class Config(StageConfig):
    """Settings of `export_sft`."""

    layout: Literal["trl"] = Field("trl", description="Whose column layout: `trl`.")
    plain: bool = Field(False, description="Write plain texts, which have no prompt.")


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One row per answer.

    Raises:
        ExportRefused: an empty answer, or a prompt that does not end on a user turn.
    """
    rows = [_row(row, config.plain) for row in batch.rows]
    return make_batch((ROW_ID, *_fitted(config).writes), rows)


def _row(row: Row, is_plain: bool) -> dict[str, Any]:
    text = row[ANSWER.name]
    fault = None if is_plain else prompt_fault(row[MESSAGES.name])
    if fault := fault or answer_fault(ANSWER.name, text):
        raise refuse(row[ROW_ID.name], fault)
    kept = {name: row[name] for name in (ROW_ID.name, *(column.name for column in _KEPT))}
    if is_plain:
        return {**kept, TEXT.name: text}
    completion = [{"role": "assistant", "content": text}]
    return {**kept, PROMPT.name: row[MESSAGES.name], COMPLETION.name: completion}


def _fitted(config: Config) -> Stage[Config]:
    if not config.plain:
        return STAGE
    return replace(STAGE, reads=(ANSWER, *_KEPT), writes=(TEXT, *_KEPT), drops=(ANSWER,))


STAGE = Stage(
    name="export_sft",
    version=1,
    summary="Write answers to fine-tune on, or plain texts",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES, ANSWER, *_KEPT),
    writes=(PROMPT, COMPLETION, *_KEPT),
    drops=(MESSAGES, ANSWER),
    fitted=_fitted,
)
