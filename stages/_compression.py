"""How well texts compress together with targets, by a named compressor at a named level.

gzip at level 9 is counted by a kernel, exactly and without compressing. Any other compressor is
called for each pair, so its sizes are those of the package that is installed.
"""

from __future__ import annotations

import gzip
import importlib
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from schemas.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Compressor = Literal["gzip", "zlib-ng", "lz4"]
LEVELS: dict[Compressor, tuple[int, int]] = {"gzip": (1, 9), "zlib-ng": (1, 9), "lz4": (0, 16)}
"""The lowest and the highest level. Level 0 of gzip and zlib-ng stores and does not compress."""
_PACKAGES = {"zlib-ng": ("zlib_ng.gzip_ng", "zlib-ng"), "lz4": ("lz4.frame", "lz4")}

_BLOCK = 64
"""Rows that a thread takes at once."""


@dataclass(frozen=True, slots=True)
class Aligner:
    """Targets ready to be compared with.

    Attributes:
        count: how many there are.
        align: alignments of some texts with chosen targets, in units of 1 / `ncd.UNIT`: from bytes,
            offsets of shape (n + 1,) and indices of shape (m,) to an array of shape (n, m).
    """

    count: int
    align: Callable[[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


def aligner(targets: Sequence[bytes], compressor: Compressor, level: int) -> Aligner:
    """Compress the targets, once for all rows.

    Raises:
        InputError: the compressor's package is not installed.
    """
    if (compressor, level) == ("gzip", 9):
        return _counting(targets)
    return _compressing(targets, _compress(compressor, level))


def _counting(targets: Sequence[bytes]) -> Aligner:
    import numpy as np

    from stages.kernels import ncd

    offsets = np.cumsum([0, *map(len, targets)], dtype=np.int64)
    ready = ncd.prepared(np.frombuffer(b"".join(targets), np.uint8), offsets)

    def align(data: Any, offsets: Any, chosen: Any) -> Any:
        alone, both = ncd.gzip_sizes(data, offsets, ready, chosen)
        return ncd.aligned(alone[:, None], ready.sizes[chosen][None, :], both)

    return Aligner(len(targets), align)


def _compressing(targets: Sequence[bytes], size: Callable[[bytes], int]) -> Aligner:
    import numpy as np

    from stages.kernels import ncd

    sizes = np.array([size(target) for target in targets], dtype=np.int64)

    def align(data: Any, offsets: Any, chosen: Any) -> Any:
        texts = [bytes(data[low:high]) for low, high in itertools.pairwise(offsets)]
        alone = np.array([size(text) for text in texts], dtype=np.int64)
        both = [[size(text + targets[which]) for which in chosen] for text in texts]
        together = np.array(both, dtype=np.int64).reshape(len(texts), len(chosen))
        return ncd.aligned(alone[:, None], sizes[chosen][None, :], together)

    return Aligner(len(targets), align)


def _compress(compressor: Compressor, level: int) -> Callable[[bytes], int]:
    if compressor == "gzip":
        return lambda data: len(gzip.compress(data, level))
    module, package = _PACKAGES[compressor]
    try:
        compress = importlib.import_module(module).compress
    except ImportError as error:
        raise InputError(
            f"`compressor: {compressor}` needs the package `{package}`, which is not installed: "
            "`pip install 'prefmill[compressors]'`, or take `gzip`, which needs none"
        ) from error
    if compressor == "lz4":
        return lambda data: len(compress(data, compression_level=level))
    return lambda data: len(compress(data, compresslevel=level))


def over_texts(
    texts: pa.LargeStringArray,
    targets: Aligner,
    chosen: NDArray[np.int64],
    reduce: Callable[[NDArray[np.int64]], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Align texts with chosen targets, some rows at a time on every core.

    Args:
        texts: no nulls.
        targets: see there.
        chosen: indices of targets, shape (m,).
        reduce: what to keep of the alignments of some rows, from shape (rows, m); the matrix of
            all rows is never made.

    Returns:
        What was kept, row by row.
    """
    import numpy as np

    data, offsets = _buffers(texts)
    starts = range(0, len(texts), _BLOCK)

    def block(start: int) -> NDArray[np.int64]:
        return reduce(targets.align(data, offsets[start : start + _BLOCK + 1], chosen))

    with ThreadPoolExecutor(_threads()) as pool:
        kept = list(pool.map(block, starts))
    return np.concatenate([*kept, reduce(np.zeros((0, len(chosen)), np.int64))])


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _buffers(texts: pa.LargeStringArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of an Arrow array of texts, and where each of them starts and the last ends."""
    import numpy as np

    _, offsets, data = texts.buffers()
    if offsets is None or data is None or len(texts) == 0:
        return np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    places = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data, np.uint8), places


def sum_of_best(alignments: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The sum of each row's highest `count` values."""
    import numpy as np

    if count < alignments.shape[1]:
        alignments = np.partition(alignments, -count, axis=1)[:, -count:]
    sums: NDArray[np.int64] = alignments.sum(axis=1)
    return sums
