"""Keep the texts that compress best together with examples of a target (ZIP-FIT).

Obbad et al., 2024, arXiv 2410.18194; code: stair-lab/ZIP-FIT. With C the compressed size in bytes
and x||t a text followed by a target example,

    NCD(x, t) = (C(x||t) - min(C(x), C(t))) / max(C(x), C(t))

and a text's score is 1 minus its mean over the examples. Rows are ranked by score, equal ones by
row_id. Unlike the package's default, gzip at level 0, this compresses: that level stores, so it
ranks by length alone.

Sizes are those of gzip at level 9, counted to the byte by a kernel that parses a text once and only
counts bits (`stages.kernels.deflate_pairs`); it is classic zlib's parse, whatever library Python is
linked to. Other compressors are called, and choose other rows.

The plain score still falls with length, since a long text shares less of itself with any target;
the rank correlation is reported. `normalise: length` ranks by the distance from what is usual for
texts as long, in standard deviations (`stages.kernels.lengths`).

`mode: elimination` compares all rows with few targets and only the promising ones with more
(`stages._elimination`). The rows that stay have exact scores; each row left behind could have
belonged to them with the small probability of a deviation beyond `z`, which is reported.

Reads: the texts; the target file.
Writes: zipfit_score and zipfit_rank; zipfit_normalised with `normalise: length`.
Drops: `not_selected` (`keep`), `below_threshold`, `eliminated` (`mode: elimination`).
Cost: rows times targets, about 10 microseconds each for texts of 2 kB; no model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.batch import Batch, Reject, Row
from schemas.columns import MESSAGES, ROW_ID
from schemas.selection import ZIPFIT_NORMALISED, ZIPFIT_RANK, ZIPFIT_SCORE
from schemas.stage import DatasetPass, Decision, PassContext, Stage
from stages import _elimination as elimination
from stages._compression import Aligner, aligner, over_texts, sum_of_best
from stages._dropped import dropped
from stages._elimination import TOTAL, WATCHED
from stages._preload import KERNELS
from stages._targets import TARGET, given_target, target_texts
from stages._texts import text_columns, texts_of
from stages._zipfit_choice import KEPT, LIMIT, SEEN, choose, choose_survivors
from stages._zipfit_config import Config

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["STAGE", "Config"]

LENGTH = "length"


def _examples(config: Config, context: PassContext) -> list[bytes]:
    """The target's examples, in the order in which rows meet them."""

    def read() -> list[bytes]:
        texts = target_texts(context.given(TARGET), config.target_field)
        examples = [text.encode() for text in texts]
        return elimination.shuffled(examples, context.recipe_seed, context.stage)

    return context.once("examples", read)


def _targets(config: Config, context: PassContext) -> Aligner:
    examples = _examples(config, context)
    return context.once("targets", lambda: aligner(examples, config.compressor, config.level))


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """The sum of each row's alignments with the targets that count, or of those of a round."""
    import pyarrow as pa
    import pyarrow.compute as pc

    targets = _targets(config, context)
    texts = texts_of(batch.table, config.text)
    rows = batch.table.select([ROW_ID.name]).append_column(LENGTH, pc.binary_length(texts))
    if config.mode == "elimination":
        return _round(rows, texts, targets, context.before)
    import numpy as np

    count = config.n_best(targets.count)
    chosen = np.arange(targets.count)
    totals = over_texts(texts, targets, chosen, lambda found: sum_of_best(found, count))
    return rows.append_column(TOTAL, pa.array(totals))


def _round(
    rows: pa.Table, texts: pa.LargeStringArray, targets: Aligner, before: pa.Table | None
) -> pa.Table:
    """The rows still in it against the next targets; null for the others."""
    import numpy as np
    import pyarrow as pa

    field = elimination.after(before, len(rows), targets.count)
    done, goal = field.span
    watched = len(elimination.watched(done, goal, targets.count))
    alive = texts.filter(pa.array(field.alive))
    found = over_texts(
        alive,
        targets,
        np.arange(done, goal),
        lambda part: np.column_stack((part.sum(axis=1), part[:, :watched])),
    )
    places = np.full(len(rows), -1)
    places[field.alive] = np.arange(len(alive))
    take = pa.array(places, mask=places < 0)
    offsets = pa.array(np.arange(len(found) + 1) * watched)
    lists = pa.LargeListArray.from_arrays(offsets, pa.array(found[:, 1:].ravel()))
    totals = pa.array(found[:, 0]).take(take)
    return rows.append_column(TOTAL, totals).append_column(WATCHED, lists.take(take))


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Rank the rows, or leave those behind that can't be among the best, and go on."""
    n_targets = len(_examples(config, context))
    if config.mode == "elimination":
        return choose_survivors(sketches, config, context.before, n_targets)
    return choose(sketches, config, n_targets)


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Keep the chosen rows of a part, with score and rank."""
    kept = decision.column(KEPT)
    columns = [ROW_ID.name, *(column.name for column in _fitted(config).writes)]
    gone = dropped(batch.table, decision, kept, config.text)
    rejects = (_reject(verdict, text, config) for verdict, text, _ in gone)
    return Batch(decision.filter(kept).select(columns), tuple(rejects))


def _reject(row: Row, text: str, config: Config) -> Reject:
    score, rank, limit = row[ZIPFIT_SCORE.name], row[ZIPFIT_RANK.name], row[LIMIT]
    if rank is None:
        return Reject(
            row[ROW_ID.name],
            "eliminated",
            f"after {row[SEEN]} targets it scores at most {score:.6g} (z = {config.z:g}), below "
            f"{limit:.6g}, what a row had to reach by then",
            text,
        )
    if config.threshold is not None:
        message = f"zipfit_score is {score:.6g}, below the threshold {config.threshold:g}"
        return Reject(row[ROW_ID.name], "below_threshold", message, text)
    by = ZIPFIT_SCORE if config.normalise == "none" else ZIPFIT_NORMALISED
    message = f"{by.name} is {row[by.name]:.6g}, rank {rank}; the last that stays has {limit:.6g}"
    return Reject(row[ROW_ID.name], "not_selected", message, text)


def _fitted(config: Config) -> Stage[Config]:
    normalised = () if config.normalise == "none" else (ZIPFIT_NORMALISED,)
    return replace(
        STAGE,
        reads=text_columns(config.text),
        writes=(ZIPFIT_SCORE, ZIPFIT_RANK, *normalised),
    )


STAGE = Stage(
    name="zipfit",
    version=2,
    summary="Keep the texts that compress best together with examples of a target (ZIP-FIT)",
    config=Config,
    run=None,
    effect="filter",
    reads=(MESSAGES,),
    writes=(ZIPFIT_SCORE, ZIPFIT_RANK),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    given=given_target,
    preload=KERNELS,
    fitted=_fitted,
)
