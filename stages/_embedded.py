"""The vectors of texts, and why a row has none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from schemas.batch import Batch, Reject
from schemas.columns import ROW_ID
from schemas.layouts import is_blank
from schemas.models import Embedder, Embedding, EmbedRequest, Failure
from schemas.rejects import engine_code
from stages._texts import TextName, texts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float64]


def embedded(
    batch: Batch,
    names: Sequence[TextName],
    embedder: Embedder,
    *,
    directed: bool,
    allow_truncated: bool,
) -> tuple[dict[str, Embedding], tuple[Reject, ...]]:
    """What a model makes of each row's text: by row_id, in order, and the rows without a vector.

    Blank texts are not asked about.

    Args:
        batch: the rows.
        names: of the texts.
        embedder: the model.
        directed: whether a vector must be one that can be scaled to length 1.
        allow_truncated: whether a text may count of which only a part fits the window.
    """
    ids: list[str] = batch.table.column(ROW_ID.name).to_pylist()
    texts: list[str] = texts_of(batch.table, names).to_pylist() if ids else []
    pairs = list(zip(ids, texts, strict=True))
    requests = [EmbedRequest(row_id, text) for row_id, text in pairs if not is_blank(text)]
    results = embedder.embed(requests) if requests else []
    by_id = {result.request_id: result for result in results}
    kept: dict[str, Embedding] = {}
    rejects: list[Reject] = []
    for row_id, text in pairs:
        result = by_id.get(row_id)
        if result is None:
            message = f"nothing in {', '.join(names)} that could be embedded"
            rejects.append(Reject(row_id, "empty_text", message, text))
        elif isinstance(result, Failure):
            code = engine_code(result)
            rejects.append(Reject(row_id, code, result.message, result.raw or text))
        elif objection := _objection(result, directed, allow_truncated):
            rejects.append(Reject(row_id, *objection, text))
        else:
            kept[row_id] = result
    return kept, tuple(rejects)


def _objection(result: Embedding, directed: bool, allow_truncated: bool) -> tuple[str, str] | None:
    """Code and message of why a vector is of no use; None if it is."""
    if result.n_truncated and not allow_truncated:
        read = f"{result.n_prompt_tokens} tokens fit the embedding model's window"
        return "truncated", f"{read}, {result.n_truncated} more do not"
    if not is_usable(result, directed):
        length = _length(result)
        return "not_finite", f"the length of its vector is {length:g}; `dtype: float32` may help"
    return None


def is_usable(result: Embedding, directed: bool) -> bool:
    """Whether its numbers are finite and, if it is to have a direction, not all zero."""
    length = _length(result)
    return math.isfinite(length) and (not directed or length > 0)


def _length(result: Embedding) -> float:
    import numpy as np

    return float(np.linalg.norm(vectors_of([result])))


def vectors_of(results: Iterable[Embedding], *, unit: bool = False) -> Vectors:
    """The vectors, shape (n, dimensions), n not 0; each scaled to length 1 if `unit`."""
    import numpy as np

    raw = np.stack([np.frombuffer(one.vector, np.float32) for one in results])
    vectors: Vectors = raw.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if unit else vectors
