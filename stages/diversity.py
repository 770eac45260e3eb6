"""Keep rows that are unlike each other, or that stand for all the others, by their embeddings.

    facility_location  every row is like some row that stays: the sum of their similarities is what
                       greedy choice raises (Mirchandani and Francis, 1990; for data, Wei, Iyer and
                       Bilmes, 2015). Similarities of nearest neighbours alone count, so memory goes
                       with the rows and not with their square; a row of which no neighbour stays
                       counts as not stood for, and how many there are is told
    k_center           no row is far from all that stay: the farthest is taken, again and again
                       (Gonzalez, 1985). It takes outliers first
    log_det            the rows that stay span most: the greedy MAP of a determinantal point process
                       whose kernel is similarity times both rows' `weight`, plus `ridge` on its
                       diagonal (Chen, Zhang and Zhou, 2018, arXiv 1709.05135)

Similarity is the cosine of two embeddings. The choice is the same for any order of the rows and any
split into parts: equal gains go by row_id.

Reads: embedding and the texts named, whose length is compared with the choice; the column `weight`.
Writes: diversity_rank, diversity_gain.
Drops: `not_selected` (names the row that stays and is most like it), `no_embedding`, `not_finite`,
    `zero_embedding`, `no_weight`.
Cost: no model. For facility_location one product of all embeddings with each other, on all cores.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.batch import Batch, Reject, Row
from schemas.columns import MESSAGES, ROW_ID
from schemas.errors import InputError
from schemas.selection import DIVERSITY_GAIN, DIVERSITY_RANK, EMBEDDING, named_column
from schemas.stage import DatasetPass, Decision, PassContext, Stage
from stages._diversity_config import Config
from stages._dropped import dropped
from stages._keeping import keeping_notes, n_kept
from stages._preload import KERNELS
from stages._texts import text_columns, texts_of
from stages._vectors import unusable, vectors_in

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages._diverse import Choice

__all__ = ["STAGE", "Config"]

_WEIGHT, _LENGTH, _N_KEPT = "weight", "length", "n_kept"
_NEAREST, _SIMILARITY = "nearest", "similarity"


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """The embedding in single precision, null if it or the weight says nothing; text lengths.

    Raises:
        InputError: the column `weight` holds no numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from stages.kernels.vectors import usable_vectors

    vectors = usable_vectors(batch.table.column(EMBEDDING.name), directed=True)
    table = batch.table.select([ROW_ID.name])
    weights = _weights(batch.table, config.weight, context.stage)
    vectors = pc.if_else(weights.is_valid(), vectors, None)
    lengths = pc.utf8_length(texts_of(batch.table, config.text)).cast(pa.int64())
    columns = {EMBEDDING.name: vectors, _WEIGHT: weights, _LENGTH: lengths}
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _weights(table: pa.Table, name: str | None, stage: str) -> pa.ChunkedArray:
    """The weights, null where one is not a number from 0; all one if no column is named."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name is None:
        return pa.chunked_array([pa.repeat(1.0, len(table))])
    column = table.column(name)
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if not (is_number or pa.types.is_null(kind)):
        raise InputError(
            f"{stage}: the column `{name}` holds {kind}, and `weight` takes a column of numbers. "
            "Name another, or leave `weight` out."
        )
    weights = column.cast(pa.float64())
    is_weight = pc.and_(pc.is_finite(weights), pc.greater_equal(weights, 0))
    return pc.if_else(pc.fill_null(is_weight, False), weights, None)


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Which rows stay, in which order they were taken, and which of them each other row is like.

    Raises:
        InputError: embeddings of several lengths.
    """
    import numpy as np
    import pyarrow.compute as pc

    from stages._diverse import choose
    from stages.kernels.neighbours import unit

    vectors = vectors_in(sketches, EMBEDDING.name, context.stage)
    usable = sketches.column(EMBEDDING.name).is_valid()
    rows = sketches.drop_columns([EMBEDDING.name]).filter(usable)
    # Equal gains go by the place in this order, and sums are made in it.
    places = pc.sort_indices(rows.column(ROW_ID.name)).to_numpy().astype(np.int64)
    kept = n_kept(config.keep, len(places))
    notes = keeping_notes(config.keep, len(places))
    if not kept:
        return Decision(_decided(sketches, places, None), notes=notes)
    weights = rows.column(_WEIGHT).to_numpy()[places]
    lengths = rows.column(_LENGTH).to_numpy()[places]
    choice = choose(unit(vectors.take(places)), weights, lengths, kept, config, context)
    here = np.flatnonzero(usable.to_numpy())[places]
    return Decision(
        _decided(sketches, here, choice),
        figures=choice.figures,
        notes=(*notes, *choice.notes),
    )


def _decided(sketches: pa.Table, here: NDArray[np.int64], choice: Choice | None) -> pa.Table:
    """What is known of each row of the sketches.

    Args:
        here: where in the sketches the rows are that the choice was among.
        choice: among them; None if there were none.
    """
    import numpy as np
    import pyarrow as pa

    ids = sketches.column(ROW_ID.name)
    rank, gain = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids))
    nearest, similarity = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids))
    missing = np.ones(len(ids), dtype=bool)
    n_kept = 0
    if choice is not None:
        n_kept, missing[here] = len(choice.order), False
        rank[here[choice.order]] = np.arange(n_kept) + 1
        gain[here[choice.order]] = choice.gains
        nearest[here], similarity[here] = here[choice.nearest], choice.similarity
    columns = {
        DIVERSITY_RANK.name: pa.array(rank, mask=rank == 0),
        DIVERSITY_GAIN.name: pa.array(gain, mask=rank == 0),
        _NEAREST: ids.take(pa.array(nearest, mask=missing)),
        _SIMILARITY: pa.array(similarity),
        _N_KEPT: pa.repeat(n_kept, len(ids)),
    }
    return pa.table({ROW_ID.name: ids, **columns})


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Keep the rows of a part that were taken, with their place and gain."""
    stays = decision.column(DIVERSITY_RANK.name).is_valid()
    kept = decision.filter(stays).select([ROW_ID.name, *(column.name for column in STAGE.writes)])
    rejects = (
        _not_selected(verdict, text)
        if verdict[_NEAREST] is not None
        else _unusable(row(), config, text)
        for verdict, text, row in dropped(batch.table, decision, stays, config.text)
    )
    return Batch(kept, tuple(rejects))


def _not_selected(verdict: Row, text: str) -> Reject:
    message = (
        f"not among the {verdict[_N_KEPT]} rows that stay; its similarity to {verdict[_NEAREST]}, "
        f"the most similar of them, is {verdict[_SIMILARITY]:.4g}"
    )
    return Reject(verdict[ROW_ID.name], "not_selected", message, text)


def _unusable(one: pa.Table, config: Config, text: str) -> Reject:
    """Why a row could not be chosen among: its weight, or its embedding."""
    names = [ROW_ID.name, EMBEDDING.name, *filter(None, [config.weight])]
    row: Row = one.select(names).to_pylist()[0]
    if config.weight is not None:
        value = row[config.weight]
        if value is None or not 0 <= value < math.inf:
            message = f"`{config.weight}` is {value}; a weight is a number from 0"
            return Reject(row[ROW_ID.name], "no_weight", message, text)
    return unusable(row, (EMBEDDING,), text)


def _fitted(config: Config) -> Stage[Config]:
    weight = () if config.weight is None else (named_column(config.weight),)
    return replace(STAGE, reads=(EMBEDDING, *text_columns(config.text), *weight))


STAGE = Stage(
    name="diversity",
    version=1,
    summary="Keep rows that stand for all others, or are unlike each other, by their embeddings",
    config=Config,
    run=None,
    effect="filter",
    reads=(EMBEDDING, MESSAGES),
    writes=(DIVERSITY_RANK, DIVERSITY_GAIN),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    preload=KERNELS,
    fitted=_fitted,
)
