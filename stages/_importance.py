"""Importance weights of texts from the buckets of their n-grams, all rows together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.kernels.hashed_ngrams import Buckets
    from stages.kernels.words import Places

    Floats = NDArray[np.float64]


def buckets_of(texts: pa.LargeStringArray, n: int) -> pa.LargeListArray:
    """The buckets of the unigrams and bigrams of each text."""
    import pyarrow as pa

    from stages.kernels.hashed_ngrams import hashed_ngrams
    from stages.kernels.texts import buffers_of
    from stages.kernels.words import character_table

    offsets, data = buffers_of(texts)
    buckets, first = hashed_ngrams(data, offsets, character_table("_"), n)
    return pa.LargeListArray.from_arrays(pa.array(first), pa.array(buckets))


def gumbel_noise(row_ids: pa.LargeStringArray, seed: int) -> Floats:
    """One draw of the standard Gumbel distribution for each row, by its identity and the seed."""
    import numpy as np

    from stages.kernels.hashed_ngrams import uniforms
    from stages.kernels.texts import buffers_of

    offsets, data = buffers_of(row_ids)
    noise: Floats = -np.log(-np.log(uniforms(data, offsets, np.uint64(seed))))
    return noise


def counts(buckets: pa.ChunkedArray, n: int, wanted: NDArray[np.bool_] | None = None) -> Places:
    """How often each of `n` buckets occurs in all rows, or in those that are wanted."""
    import numpy as np

    from stages.kernels.hashed_ngrams import add_counts

    total, start = np.zeros(n, dtype=np.int64), 0
    for values, first in _chunks(buckets):
        rows = len(first) - 1
        some = np.ones(rows, dtype=np.bool_) if wanted is None else wanted[start : start + rows]
        add_counts(values, first, some, total)
        start += rows
    return total


def log_ratios(buckets: pa.ChunkedArray, log_ratio: Floats) -> tuple[Floats, Places]:
    """The sum of each row's buckets' log ratios, and how many n-grams it has."""
    import numpy as np

    from stages.kernels.hashed_ngrams import sums_by_text

    sums, sizes = np.empty(len(buckets)), np.empty(len(buckets), dtype=np.int64)
    start = 0
    for values, first in _chunks(buckets):
        end = start + len(first) - 1
        sums_by_text(values, first, log_ratio, sums[start:end])
        sizes[start:end] = np.diff(first)
        start = end
    return sums, sizes


def _chunks(buckets: pa.ChunkedArray) -> Iterator[tuple[Buckets, Places]]:
    for chunk in buckets.chunks:
        yield chunk.values.to_numpy(), chunk.offsets.to_numpy()


def bucket_log_ratio(target: Places, rows: Places, smoothing: float) -> Floats:
    """Log p - log q of each bucket, p being its share in the target and q that in the rows."""
    import numpy as np

    p, q = (each / max(int(each.sum()), 1) for each in (target, rows))
    ratio: Floats = np.log(p + smoothing) - np.log(q + smoothing)
    return ratio


def divergence(target: Places, rows: Places, smoothing: float) -> float:
    """Kullback-Leibler divergence of the target's buckets from those of rows, in nats."""
    import numpy as np

    shares = target / target.sum()
    return float(np.dot(shares, bucket_log_ratio(target, rows, smoothing)))
