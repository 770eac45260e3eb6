"""Which rows `zipfit` keeps, once it knows what it needs of their scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from schemas.batch import Row
from schemas.columns import ROW_ID
from schemas.selection import ZIPFIT_NORMALISED, ZIPFIT_RANK, ZIPFIT_SCORE
from schemas.stage import Decision
from stages import _elimination as elimination
from stages._elimination import TOTAL, means_of
from stages._keeping import keeping_notes, n_kept
from stages._ranking import RANK, ranked
from stages._zipfit_config import Config

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

KEPT, LIMIT, SEEN = "kept", "limit", "seen"
_LENGTH = "length"


def choose(sketches: pa.Table, config: Config, n_targets: int) -> Decision:
    """Rank all rows by their exact scores."""
    import numpy as np

    scores = means_of(sketches.column(TOTAL).to_numpy(), config.n_best(n_targets))
    lengths = sketches.column(_LENGTH).to_numpy()
    ranked_by, normalised = scores, None
    if config.normalise == "length":
        from stages.kernels.lengths import length_matched

        ranked_by = normalised = length_matched(scores, lengths)
    rows, notes = _chosen(sketches, scores, ranked_by, normalised, config)
    figures = _figures(config, n_targets, len(rows), scores, lengths)
    if normalised is not None:
        figures["normalised_length_rank_correlation"] = _correlation(normalised, lengths)
    rows = rows.append_column(SEEN, [np.full(len(rows), n_targets)])
    return Decision(rows, figures=figures | _kept_figure(rows), notes=notes)


def choose_survivors(
    sketches: pa.Table, config: Config, before: pa.Table | None, n_targets: int
) -> Decision:
    """Leave rows behind; after the last round rank those that are left, by exact scores."""
    n_rows = len(sketches)
    field = elimination.after(before, n_rows, n_targets)
    elimination.add_round(field, sketches, n_targets)
    wanted = n_rows if config.keep is None else n_kept(config.keep, n_rows)
    elimination.eliminate(field, n_targets, wanted, config.threshold, config.z)
    if n_rows and field.span[0] < n_targets and field.alive.any():
        return Decision(field.to_table(sketches.column(ROW_ID.name)), again=True)
    return _survivors(field, sketches, config, n_targets)


def _survivors(
    field: elimination.Field, sketches: pa.Table, config: Config, n_targets: int
) -> Decision:
    import numpy as np
    import pyarrow as pa

    scores = means_of(field.total, np.maximum(field.seen, 1))
    n_rows = len(sketches)
    ranked_by = np.where(field.alive, scores, -np.inf)
    rows, notes = _chosen(sketches, scores, ranked_by, None, config)
    # A row left behind has no score: what is said of it is the most that it could have.
    bounds = {
        ZIPFIT_SCORE.name: pa.array(np.where(field.alive, scores, field.upper)),
        ZIPFIT_RANK.name: pa.array(rows.column(ZIPFIT_RANK.name).to_numpy(), mask=~field.alive),
        LIMIT: pa.array(np.where(field.alive, rows.column(LIMIT).to_numpy(), field.bar)),
    }
    for name, values in bounds.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    rows = rows.append_column(SEEN, pa.array(field.seen))
    lengths = sketches.column(_LENGTH).to_numpy()
    figures = _figures(config, n_targets, n_rows, scores, lengths) | {
        "z": config.z,
        "confidence": round(math.erf(config.z / math.sqrt(2)), 6),
        "pairs_share": round(float(field.seen.sum()) / max(n_rows * n_targets, 1), 6),
    }
    return Decision(rows, figures=figures | _kept_figure(rows), notes=notes)


def _chosen(
    sketches: pa.Table,
    scores: NDArray[np.float64],
    ranked_by: NDArray[np.float64],
    normalised: NDArray[np.float64] | None,
    config: Config,
) -> tuple[pa.Table, tuple[str, ...]]:
    """Score, rank from 1, whether it stays, and the value of the last row that does."""
    import numpy as np
    import pyarrow as pa

    n_rows = len(sketches)
    keyed = sketches.select([ROW_ID.name]).append_column("by", pa.array(ranked_by))
    ranks = ranked(keyed, "by", "descending").column(RANK).to_numpy() + 1
    if config.threshold is not None:
        kept = ranked_by >= config.threshold
    else:
        kept = ranks <= (n_rows if config.keep is None else n_kept(config.keep, n_rows))
    notes = () if config.keep is None else keeping_notes(config.keep, n_rows)
    limit = float(ranked_by[kept].min()) if kept.any() else math.nan
    columns = {ZIPFIT_SCORE.name: scores, ZIPFIT_RANK.name: ranks, KEPT: kept}
    if normalised is not None:
        columns[ZIPFIT_NORMALISED.name] = normalised
    columns[LIMIT] = np.full(n_rows, limit)
    table = {name: pa.array(values) for name, values in columns.items()}
    return pa.table({ROW_ID.name: sketches.column(ROW_ID.name), **table}), notes


def _figures(
    config: Config,
    n_targets: int,
    n_rows: int,
    scores: NDArray[np.float64],
    lengths: NDArray[np.int64],
) -> dict[str, Any]:
    return {
        "compressor": config.compressor,
        "level": config.level,
        "mode": config.mode,
        "targets": n_targets,
        "rows": n_rows,
        "length_rank_correlation": _correlation(scores, lengths),
    }


def _kept_figure(rows: pa.Table) -> Row:
    import pyarrow.compute as pc

    return {"kept": pc.sum(rows.column(KEPT)).as_py() or 0}


def _correlation(scores: NDArray[np.float64], lengths: NDArray[np.int64]) -> float | None:
    """Spearman's, to six digits: the last ones go by the order of the rows."""
    from stages.kernels.rank_correlation import rank_correlation

    found = rank_correlation(scores, lengths)
    return None if found is None else round(found, 6)
