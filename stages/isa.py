"""Keep the rows that stand out: those least likely under a mixture fitted to all of them (ISA).

Information sampling for alignment (Khera et al., 2024, "Efficient Alignment of LLMs via Data
Sampling", PMLR 262, arXiv 2411.10545). A mixture of two Gaussians is fitted to the embeddings; the
log-likelihood of each row, scaled to 0 for the least likely and 1 for the likeliest, is l', and the
paper's probability is p = exp(l'). The rows that take most entropy -p log p = -p l' with them stay.

    paper        p is from 1 to e and no probability: the entropy that a row takes falls with its
                 likelihood, so the least likely rows stay, which are the outliers
    normalised   p sums to one: it then rises with the likelihood, so the likeliest rows stay

The two choose opposite rows, and for a small `keep` share none. What the paper leaves open is set
here: covariance, projection, and that a fit is repeated with other seeds, to see how far the choice
of rows is one of the seed.

The paper's unit is one prompt with one answer. A pair is one unit by the texts that were embedded
(`pair: whole`), or two, one with either answer: its delta is the greater of both (`max`) or their
mean (`mean`). For that, two steps `embed` write `embedding` and `embedding_rejected`.

The paper sets `keep` by trial, 3.5 % to 10 %: `prefmill audit --scaling` reads such trials.

Reads: embedding, and embedding_rejected for two units; texts, for their length alone.
Writes: isa_loglik, isa_p and isa_delta of the row, with `max` of the unit that decides and with
    `mean` the means; isa_rank.
Drops: `not_selected`, `no_embedding`, `not_finite`.
Cost: some passes of k-means and EM over at most `fit_rows` rows on the worker that decides, and one
    over all rows; both again for each further seed, as many at a time as there are cores. Some 25
    bytes for each number fitted, for each of these at a time. No model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.batch import Batch, Reject, Row
from schemas.columns import CHOSEN, MESSAGES, ROW_ID, Column
from schemas.selection import (
    EMBEDDING,
    EMBEDDING_REJECTED,
    ISA_DELTA,
    ISA_LOGLIK,
    ISA_P,
    ISA_RANK,
)
from schemas.stage import DatasetPass, Decision, PassContext, Stage
from stages._dropped import dropped
from stages._isa_config import Config
from stages._keeping import keeping_notes, n_kept
from stages._preload import KERNELS
from stages._texts import text_columns, texts_of
from stages._vectors import unusable, vectors_in

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.kernels.entropy import Scores

__all__ = ["STAGE", "Config"]

_LENGTH, _N_KEPT = "length", "n_kept"


def _embeddings(config: Config) -> tuple[Column, ...]:
    return (EMBEDDING,) if config.pair == "whole" else (EMBEDDING, EMBEDDING_REJECTED)


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """The embeddings in single precision, null in all columns where one says nothing; lengths."""
    import pyarrow.compute as pc

    from stages.kernels.vectors import usable_vectors

    table = batch.table.select([ROW_ID.name])
    columns = [usable_vectors(batch.table.column(c.name)) for c in _embeddings(config)]
    usable = columns[0].is_valid()
    for other in columns[1:]:
        usable = pc.and_(usable, other.is_valid())
    for column, vectors in zip(_embeddings(config), columns, strict=True):
        table = table.append_column(column.name, pc.if_else(usable, vectors, None))
    return table.append_column(_LENGTH, pc.utf8_length(texts_of(batch.table, config.text)))


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """The likelihood, delta and rank of each row that has its embeddings.

    Raises:
        InputError: embeddings of several lengths.
    """
    import numpy as np
    import pyarrow.compute as pc

    from stages._isa_fit import fits, report

    columns = [vectors_in(sketches, c.name, context.stage) for c in _embeddings(config)]
    usable = sketches.column(EMBEDDING.name).is_valid()
    rows = sketches.select([ROW_ID.name, _LENGTH]).filter(usable)
    # Sums are made in this order, whatever the order that the rows came in.
    places = pc.sort_indices(rows.column(ROW_ID.name)).to_numpy().astype(np.int64)
    if not len(places):
        return Decision(_decided(sketches, places, None, 0))
    found = fits(columns, places, config, context)
    kept = n_kept(config.keep, len(places))
    figures, notes = report(found, rows.column(_LENGTH).to_numpy()[places], kept, config)
    here = np.flatnonzero(usable.to_numpy())[places]
    return Decision(
        _decided(sketches, here, found[0].scores, kept),
        figures=figures,
        notes=(*keeping_notes(config.keep, len(places)), *notes),
    )


def _decided(
    sketches: pa.Table, here: NDArray[np.int64], scores: Scores | None, kept: int
) -> pa.Table:
    """What is known of each row of the sketches: that of those here, null for the others."""
    import numpy as np
    import pyarrow as pa

    n, missing = len(sketches), np.ones(len(sketches), dtype=bool)
    missing[here] = False
    decided = sketches.select([ROW_ID.name])
    columns = (ISA_LOGLIK, ISA_P, ISA_DELTA, ISA_RANK)
    values = (scores.log_likelihoods, scores.p, scores.deltas, scores.ranks) if scores else ()
    for column, known in zip(
        columns, values or [np.empty(0)] * 3 + [np.empty(0, int)], strict=True
    ):
        full = np.zeros(n, dtype=known.dtype)
        full[here] = known
        decided = decided.append_column(column.name, pa.array(full, mask=missing))
    return decided.append_column(_N_KEPT, pa.array(np.full(n, kept)))


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Keep the rows of a part that rank high enough, with their scores."""
    import pyarrow.compute as pc

    stays = pc.less_equal(decision.column(ISA_RANK.name), decision.column(_N_KEPT))
    stays = pc.fill_null(stays, False)
    kept = decision.filter(stays).select([ROW_ID.name, *(column.name for column in STAGE.writes)])
    rejects = (
        _unusable(row(), config, text)
        if verdict[ISA_RANK.name] is None
        else _not_selected(verdict, text)
        for verdict, text, row in dropped(batch.table, decision, stays, config.text)
    )
    return Batch(kept, tuple(rejects))


def _unusable(one: pa.Table, config: Config, text: str) -> Reject:
    columns = _embeddings(config)
    row: Row = one.select([ROW_ID.name, *(column.name for column in columns)]).to_pylist()[0]
    return unusable(row, columns, text)


def _not_selected(verdict: Row, text: str) -> Reject:
    message = (
        f"rank {verdict[ISA_RANK.name]} by the entropy that rows take with them "
        f"({verdict[ISA_DELTA.name]:.6g}); the first {verdict[_N_KEPT]} stay"
    )
    return Reject(verdict[ROW_ID.name], "not_selected", message, text)


def _fitted_to(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=(*_embeddings(config), *text_columns(config.text)))


STAGE = Stage(
    name="isa",
    version=1,
    summary="Keep the rows that stand out under a mixture of Gaussians over embeddings (ISA)",
    config=Config,
    run=None,
    effect="filter",
    reads=(EMBEDDING, MESSAGES, CHOSEN),
    writes=(ISA_LOGLIK, ISA_P, ISA_DELTA, ISA_RANK),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    preload=KERNELS,
    fitted=_fitted_to,
)
