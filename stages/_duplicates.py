"""Which of all rows stay, by what `dedup` sketched of them; a step of arrays, not of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from schemas.columns import ROW_ID
from schemas.errors import InputError
from schemas.selection import EMBEDDING
from schemas.stage import Decision
from stages._signatures import Signatures, chance_to_meet

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.kernels.nodes import Collapsed
    from stages.kernels.survivors import Verdict

PRIORITY = "priority"
_IDENTITY = ("identity_0", "identity_1")
"""128 bits that are the same for the same content."""
_SETS = "sets"
_VECTORS = "vectors"

DUPLICATE_OF, SIMILARITY, IN_INDEX = "duplicate_of", "similarity", "in_index"
"""Columns of the decision: the row that this one goes for, null if it stays."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """When two rows are alike, and who stays then: see `dedup`'s Config."""

    method: Literal["exact", "minhash", "semantic"]
    threshold: float
    mode: Literal["greedy", "component"]
    bands: tuple[int, int] | None


def of_fingerprints(fingerprints: NDArray[np.uint64]) -> dict[str, pa.Array]:
    """Sketches of rows that are alike only if their fingerprints, u64[n, 2], are equal."""
    import pyarrow as pa

    return {name: pa.array(fingerprints[:, place]) for place, name in enumerate(_IDENTITY)}


def of_signatures(signatures: Signatures, bands: int, rows: int) -> dict[str, pa.Array]:
    """Sketches of rows by their sets of n-grams."""
    import pyarrow as pa

    from stages.kernels.minhash import band_hashes
    from stages.kernels.shingles import identities

    starts, shingles, signed = signatures
    return {
        **of_fingerprints(identities(starts, shingles)),
        **{_band(k): pa.array(band) for k, band in enumerate(band_hashes(signed, bands, rows))},
        _SETS: pa.LargeListArray.from_arrays(pa.array(starts), pa.array(shingles)),
    }


def _band(place: int) -> str:
    return f"band_{place:04}"


def of_embeddings(table: pa.Table) -> dict[str, pa.Array]:
    """Sketches of rows by their embeddings.

    Raises:
        InputError: an embedding has another length than the first, or no direction.
    """
    import numpy as np
    import pyarrow as pa

    from stages.kernels.xxh64 import fingerprints

    vectors = table.column(EMBEDDING.name).combine_chunks().cast(pa.large_list(pa.float32()))
    flat = vectors.flatten().to_numpy()
    sizes = np.diff(vectors.offsets.to_numpy())
    dimensions = int(sizes[0]) if len(sizes) else 1
    row_ids = table.column(ROW_ID.name)
    for row in np.flatnonzero(sizes != dimensions)[:1]:
        raise _other_length(row_ids[int(row)], int(sizes[row]), dimensions)
    matrix = flat.reshape(len(sizes), dimensions)
    norms = np.linalg.norm(matrix, axis=1)
    for row in np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))[:1]:
        raise InputError(
            f"row {row_ids[int(row)]}: its embedding is zero or not finite, so that it has no "
            "direction to compare. Drop such rows before, or use `method: minhash`."
        )
    starts = np.arange(len(sizes) + 1) * matrix.itemsize * dimensions
    return {**of_fingerprints(fingerprints(starts, flat.view(np.uint8))), _VECTORS: vectors}


def _other_length(row_id: Any, seen: int, expected: int) -> InputError:
    return InputError(
        f"row {row_id}: its embedding has {seen} dimensions, others have {expected}. Embeddings of "
        "one model have one length: embed all rows with the same."
    )


def decide_on(sketches: pa.Table, earlier: Sequence[pa.Table], likeness: Likeness) -> Decision:
    """Which rows stay, and for which the others go.

    Args:
        sketches: of all rows.
        earlier: the same columns of rows that stay whatever they are like, without `PRIORITY`.
        likeness: what counts as alike.
    """
    import numpy as np
    import pyarrow as pa

    from stages.kernels.nodes import collapse

    n_given = sum(table.num_rows for table in earlier)
    order = np.concatenate([_order(_joined(earlier)), n_given + _order(sketches)])
    plain = [name for name in sketches.column_names if name != PRIORITY]
    rows = pa.concat_tables([*earlier, sketches.select(plain)])
    collapsed = collapse(_array(rows, _IDENTITY[0]), _array(rows, _IDENTITY[1]), order)
    verdict = _verdict(rows, collapsed, int(np.sum(collapsed.best < n_given)), likeness)
    nodes = collapsed.of[n_given:]
    standing = collapsed.best[verdict.kept_for[nodes]]
    is_kept = standing == np.arange(n_given, n_given + len(nodes))
    others = rows.column(ROW_ID.name).combine_chunks().take(pa.array(standing, mask=is_kept))
    table = sketches.select([ROW_ID.name])
    table = table.append_column(DUPLICATE_OF, others)
    table = table.append_column(SIMILARITY, pa.array(verdict.similarity[nodes]))
    table = table.append_column(IN_INDEX, pa.array(standing < n_given))
    return Decision(table, figures=_figures(is_kept, standing < n_given, verdict, likeness))


def _joined(earlier: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    ids = [table.select([ROW_ID.name]) for table in earlier]
    return pa.concat_tables(ids) if ids else pa.table({ROW_ID.name: pa.array([], pa.string())})


def _order(rows: pa.Table) -> NDArray[np.int64]:
    """The rows from the best to the worst."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = [(ROW_ID.name, "ascending")]
    if PRIORITY in rows.column_names:
        keys.insert(0, (PRIORITY, "descending"))
        kind = rows.schema.field(PRIORITY).type
        if pa.types.is_nested(kind):
            raise InputError(
                f"dedup: `priority` names a column of type {kind}, which has no order; name one of "
                "numbers or texts"
            )
    indices = pc.sort_indices(rows.select([name for name, _ in keys]), sort_keys=keys)
    order: NDArray[np.int64] = indices.to_numpy().astype(np.int64)
    return order


def _array(rows: pa.Table, name: str) -> NDArray[Any]:
    array: NDArray[Any] = rows.column(name).to_numpy()
    return array


def _verdict(rows: pa.Table, collapsed: Collapsed, given: int, likeness: Likeness) -> Verdict:
    from stages.kernels.buckets import buckets_of
    from stages.kernels.jaccard import sets_of
    from stages.kernels.survivors import all_kept, among_sets

    best = collapsed.best
    if likeness.method == "semantic":
        return _among_vectors(rows, collapsed, likeness)
    if likeness.bands is None:
        return all_kept(len(best))
    buckets = buckets_of(
        lambda place: _array(rows, _band(place))[best], likeness.bands[0], len(best)
    )
    sets = sets_of(rows.column(_SETS)).of(best)
    return among_sets(buckets, sets, likeness.threshold, likeness.mode, given)


def _among_vectors(rows: pa.Table, collapsed: Collapsed, likeness: Likeness) -> Verdict:
    import numpy as np

    from stages.kernels.neighbours import blocks_of_pairs, unit
    from stages.kernels.survivors import among_pairs

    best = collapsed.best
    if not len(best):
        return among_pairs((), 0, likeness.mode)
    column = rows.column(_VECTORS)
    sizes = np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in column.chunks])
    dimensions = int(sizes[best[0]])
    for row in np.flatnonzero(sizes != dimensions)[:1]:
        raise _other_length(rows.column(ROW_ID.name)[int(row)], int(sizes[row]), dimensions)
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks])
    vectors = unit(flat.reshape(-1, dimensions)[best])
    verdict = among_pairs(blocks_of_pairs(vectors, likeness.threshold), len(best), likeness.mode)
    if likeness.mode == "component":
        gone = np.flatnonzero(verdict.kept_for != np.arange(len(best)))
        with_kept = vectors[gone] * vectors[verdict.kept_for[gone]]
        verdict.similarity[gone] = with_kept.sum(axis=1, dtype=np.float64)
    return verdict


def _figures(
    is_kept: NDArray[np.bool_], in_index: NDArray[np.bool_], verdict: Verdict, likeness: Likeness
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "rows": len(is_kept),
        "kept": int(is_kept.sum()),
        "duplicates": int((~is_kept & ~in_index).sum()),
        "in_index": int(in_index.sum()),
        "compared": verdict.compared,
    }
    if likeness.bands is not None:
        bands, rows = likeness.bands
        figures |= {
            "bands": bands,
            "rows_per_band": rows,
            "recall_at_threshold": round(chance_to_meet(likeness.threshold, bands, rows), 4),
        }
    return figures
