"""Keep the rows with the most demanding instructions and the best answers, none like another.

deita (Liu et al., 2024, arXiv 2312.15685; code: hkust-nlp/deita). A model grades each instruction
by its complexity and each answer by its quality, from 1 to 6. What counts is the mean grade under
the probabilities that it gives to the six digits as the next token, so grades are no whole numbers.
A row's score is complexity times quality, summed over the turns of its conversation; longer
conversations score higher. Each turn is graded by itself. Then the rows are gone through from the
highest score down: one whose embedding has a cosine above `max_cosine` with that of a row kept
before is dropped, until enough are kept.

deita grades by two models trained for it. Here any chat model does it by prompts of ours, and a
grade that cannot be had turns the row away, where the reference code puts a 3. A row is only
compared with rows that are kept, as in the reference code with its batch size of 1. Cosines of
embeddings that are a decoder's raw states are high between any two texts: set `max_cosine` for the
embedder in use.

Reads: messages, the answer, embedding.
Writes: complexity_scores and quality_scores of each turn, deita_score.
Drops: `too_similar`, naming the row kept; `not_selected`; `empty_text`, `judge_low_mass`,
    `judge_unreadable`, `engine_<kind>`; `no_embedding`, `not_finite`, `zero_embedding`.
Cost: two next-token distributions for each turn; at most as many comparisons as rows times rows
    kept, in the process that plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prompts import deita
from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import CHOSEN, MESSAGES, ROW_ID
from schemas.selection import COMPLEXITY_SCORES, DEITA_SCORE, EMBEDDING, QUALITY_SCORES
from schemas.stage import (
    Context,
    DatasetPass,
    Decision,
    Need,
    PassContext,
    Stage,
)
from stages._deita_config import Config
from stages._deita_grades import graded_rows
from stages._dropped import dropped
from stages._keeping import keeping_notes, n_kept
from stages._preload import KERNELS
from stages._texts import text_columns, texts_of
from stages._vectors import unusable, vectors_in

if TYPE_CHECKING:
    import pyarrow as pa

    from stages.kernels.greedy_filter import Filtered
    from stages.kernels.vectors import Places

__all__ = ["STAGE", "Config"]


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Grade every turn of every row; which rows stay is decided on all."""
    outcomes = graded_rows(batch.rows, config, context)
    rejects = [outcome for outcome in outcomes if isinstance(outcome, Reject)]
    kept = [outcome for outcome in outcomes if not isinstance(outcome, Reject)]
    return make_batch((ROW_ID, *STAGE.writes), kept, rejects)


_LENGTH = "length"
_STAYS, _LIKE, _COSINE, _LOWEST = "stays", "like", "cosine", "lowest"


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """Scores, lengths, and embeddings in single precision, null where one has no direction."""
    import pyarrow.compute as pc

    from stages.kernels.vectors import usable_vectors

    table, texts = batch.table, texts_of(batch.table, ("conversation", config.answer))
    vectors = usable_vectors(table.column(EMBEDDING.name), directed=True)
    return (
        table.select([ROW_ID.name, DEITA_SCORE.name])
        .append_column(_LENGTH, pc.utf8_length(texts))
        .append_column(EMBEDDING.name, vectors)
    )


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Which rows stay, and which of these each dropped row is too much like.

    Raises:
        InputError: embeddings of several lengths.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from stages.kernels.greedy_filter import keep_unlike

    vectors = vectors_in(sketches, EMBEDDING.name, context.stage)
    here = np.flatnonzero(sketches.column(EMBEDDING.name).is_valid().to_numpy())
    rows = sketches.select([ROW_ID.name, DEITA_SCORE.name, _LENGTH]).take(pa.array(here))
    keys = [(DEITA_SCORE.name, "descending"), (ROW_ID.name, "ascending")]
    order = pc.sort_indices(rows, sort_keys=keys).to_numpy().astype(np.int64)
    wanted = len(rows) if config.keep is None else n_kept(config.keep, len(rows))
    found = keep_unlike(vectors, order, config.max_cosine, wanted)
    figures = _figures(rows, order, found)
    return Decision(
        _decided(sketches, here[order], found, figures["lowest_score_kept"]),
        figures=figures,
        notes=() if config.keep is None else _notes(config.keep, wanted, figures),
    )


def _decided(sketches: pa.Table, places: Places, found: Filtered, lowest: float | None) -> pa.Table:
    """What is decided of each row of the sketches, from what was found of those at some places."""
    import numpy as np
    import pyarrow as pa

    n, dropped = len(sketches), found.alike >= 0
    stays, like, cosine = np.zeros(n, bool), np.full(n, -1), np.full(n, np.nan)
    has_direction = np.zeros(n, bool)
    has_direction[places], stays[places], cosine[places] = True, found.kept, found.cosine
    like[places[dropped]] = places[found.alike[dropped]]
    row_ids = sketches.column(ROW_ID.name)
    return pa.table(
        {
            ROW_ID.name: row_ids,
            _STAYS: pa.array(stays, mask=~has_direction),
            _LIKE: row_ids.take(pa.array(like, mask=like < 0)),
            _COSINE: cosine,
            _LOWEST: pa.repeat(pa.scalar(lowest, pa.float64()), n),
        }
    )


def _figures(rows: pa.Table, order: Places, found: Filtered) -> dict[str, Any]:
    from stages.kernels.rank_correlation import rank_correlation

    scores, lengths = (rows.column(name).to_numpy() for name in (DEITA_SCORE.name, _LENGTH))
    kept = scores[order[found.kept]]
    return {
        "rows": len(rows),
        "kept": len(kept),
        "too_similar": int((found.alike >= 0).sum()),
        "examined": found.examined,
        "lowest_score_kept": float(kept[-1]) if len(kept) else None,
        "length_rank_correlation": rank_correlation(scores, lengths),
    }


def _notes(keep: int | float, wanted: int, figures: Mapping[str, Any]) -> tuple[str, ...]:
    notes = keeping_notes(keep, figures["rows"])
    if figures["kept"] < wanted:
        missing = (
            f"{wanted} rows were to stay and {figures['kept']} do: each of the others is more like "
            "one of them than `max_cosine` allows"
        )
        return (*notes, missing)
    return notes


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Drop the rows of a part that are not to stay."""
    import pyarrow.compute as pc

    stays = pc.fill_null(decision.column(_STAYS), False)
    gone = dropped(batch.table, decision, stays, (config.answer,))
    rejects = (_reject(verdict, raw, row, config) for verdict, raw, row in gone)
    return Batch(batch.table.filter(stays), tuple(rejects))


def _reject(verdict: Row, raw: str, row: Callable[[], pa.Table], config: Config) -> Reject:
    """Why a row goes, given what was decided of it, its answer, and what cuts it out."""
    row_id = verdict[ROW_ID.name]
    if verdict[_STAYS] is None:
        one: Row = row().select([ROW_ID.name, EMBEDDING.name]).to_pylist()[0]
        return unusable(one, (EMBEDDING,), raw)
    if verdict[_LIKE] is not None:
        cosine = f"its cosine with row {verdict[_LIKE]} is {verdict[_COSINE]:.6f}"
        message = f"{cosine}, above {config.max_cosine:g}; that row scores higher and stays"
        return Reject(row_id, "too_similar", message, raw)
    score = f"deita_score {row().column(DEITA_SCORE.name)[0].as_py():.6g}"
    message = (
        f"{score} comes after the rows that stay, the last of them with {verdict[_LOWEST]:.6g}"
    )
    return Reject(row_id, "not_selected", message, raw)


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("label_probs",))),)


def _prompts(config: Config) -> tuple[str, ...]:
    return deita.PROMPTS


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=(*text_columns(("conversation", config.answer)), EMBEDDING))


STAGE = Stage(
    name="deita",
    version=1,
    summary="Keep demanding instructions with good answers, none like another (deita)",
    config=Config,
    run=run,
    effect="filter",
    reads=(MESSAGES, CHOSEN, EMBEDDING),
    writes=(COMPLEXITY_SCORES, QUALITY_SCORES, DEITA_SCORE),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    needs=_needs,
    prompts=_prompts,
    preload=KERNELS,
    fitted=_fitted,
)
