"""Scores, margins and lengths of rows, as arrays of numbers; texts are read and let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.report.rows import RowSet
from schemas.columns import CHOSEN, MARGIN, P_CHOSEN, REJECTED, SCORE_CHOSEN, SCORE_REJECTED
from schemas.layouts import COMPLETION, COMPLETIONS, LABEL, RANKING_SCORES, SCORE, TEXT

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST_BINS = 24
_FEWEST_BINS = 6
_TAIL = 99
"""Percentile of lengths beyond which they are counted in the last bin: one text of a million
characters would leave all others in the first."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that was measured of the rows.

    Attributes:
        title: of what.
        unit: of the values.
        series: values by whose they are, e.g. `chosen` and `rejected`; not empty.
        is_tailed: few values are much greater than all others.
    """

    title: str
    unit: str
    series: Mapping[str, Floats]
    is_tailed: bool = False


def measures_of(rows: RowSet) -> list[Measure]:
    """What can be measured; null values are left out."""
    if rows.kind == "pair":
        return _of_pairs(rows)
    if LABEL.name in rows.columns:
        return _of_answers(rows)
    if RANKING_SCORES.name in rows.columns:
        return _of_rankings(rows)
    names = (COMPLETION.name, TEXT.name, REJECTED.name)
    text = next(name for name in names if name in rows.columns)
    lengths = _joined([text_lengths(table.column(0)) for table in rows.tables([text])])
    return _some("Length of the texts", "characters", {text: lengths}, is_tailed=True)


def _of_pairs(rows: RowSet) -> list[Measure]:
    ends = (CHOSEN.name, REJECTED.name)
    numbers = [
        column.name
        for column in (SCORE_CHOSEN, SCORE_REJECTED, MARGIN, P_CHOSEN)
        if column.name in rows.columns
    ]
    found: dict[str, list[Floats]] = {name: [] for name in (*ends, *numbers)}
    for table in rows.tables([*ends, *numbers]):
        for name in ends:
            found[name].append(text_lengths(table.column(name)))
        for name in numbers:
            found[name].append(_floats(table.column(name)))
    values = {name: _joined(pieces) for name, pieces in found.items()}
    scores = {
        end: values.get(column.name, _joined([]))
        for end, column in (("chosen", SCORE_CHOSEN), ("rejected", SCORE_REJECTED))
    }
    lengths = {end: values[end] for end in ends}
    gaps = {"chosen minus rejected": lengths["chosen"] - lengths["rejected"]}
    chances = {"p_chosen": values.get(P_CHOSEN.name, _joined([]))}
    margins = {"margin": values.get(MARGIN.name, _joined([]))}
    return [
        *_some("Scores", "score", scores),
        *_some("Margins", "score of chosen minus score of rejected", margins),
        *_some("How sure the labeller is", "P(chosen is better)", chances),
        *_some("Lengths of answers", "characters", lengths, is_tailed=True),
        *_some("Chosen is longer by", "characters", gaps, is_tailed=True),
    ]


def _of_answers(rows: RowSet) -> list[Measure]:
    import numpy as np

    names = [n for n in (COMPLETION.name, LABEL.name, SCORE.name) if n in rows.columns]
    lengths, labels, scores = [], [], []
    for table in rows.tables(names):
        lengths.append(text_lengths(table.column(COMPLETION.name)))
        labels.append(np.asarray(table.column(LABEL.name)).astype(np.bool_))
        if SCORE.name in names:
            scores.append(np.asarray(table.column(SCORE.name).to_numpy(), dtype=np.float64))
    good = np.concatenate(labels)
    parts = {"desirable": good, "undesirable": ~good}
    long, score = _joined(lengths), _joined(scores)
    by_label = {name: score[at] for name, at in parts.items()} if len(score) else {}
    return [
        *_some("Scores", "score", by_label),
        *_some("Lengths", "characters", {n: long[at] for n, at in parts.items()}, is_tailed=True),
    ]


def _of_rankings(rows: RowSet) -> list[Measure]:
    import pyarrow.compute as pc

    best, worst, lengths = [], [], []
    for table in rows.tables([COMPLETIONS.name, RANKING_SCORES.name]):
        for scores in table.column(RANKING_SCORES.name).to_pylist():
            best.append(scores[0])
            worst.append(scores[-1])
        texts = pc.list_flatten(table.column(COMPLETIONS.name))
        lengths.append(text_lengths(texts))
    ends = {"best": _floats_of(best), "worst": _floats_of(worst)}
    return [
        *_some("Scores of the best and the worst", "score", ends),
        *_some("Lengths of answers", "characters", {"answer": _joined(lengths)}, is_tailed=True),
    ]


def _some(
    title: str, unit: str, series: Mapping[str, Floats], *, is_tailed: bool = False
) -> list[Measure]:
    """A measure, if there is something in every series."""
    import numpy as np

    finite = {name: values[np.isfinite(values)] for name, values in series.items()}
    if not finite or not all(len(values) for values in finite.values()):
        return []
    return [Measure(title, unit, finite, is_tailed)]


def binned(measure: Measure) -> tuple[list[float], dict[str, list[float]]]:
    """Edges of bins over all series, and counts in them; of long tails all in the end bins."""
    import numpy as np

    together = np.concatenate(list(measure.series.values()))
    if measure.is_tailed:
        low, high = np.percentile(together, [100 - _TAIL if together.min() < 0 else 0, _TAIL])
    else:
        low, high = together.min(), together.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(np.sqrt(len(together)), _FEWEST_BINS, _MOST_BINS))
    edges = np.linspace(low, high, bins + 1)
    counts = {
        name: np.histogram(np.clip(values, low, high), edges)[0].tolist()
        for name, values in measure.series.items()
    }
    return edges.tolist(), counts


def last_texts(column: pa.ChunkedArray) -> pa.Array:
    """Of each conversation the text of its last turn; plain texts as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type.value_type)
    if not pa.types.is_list(whole.type) and not pa.types.is_large_list(whole.type):
        return whole
    ends = pc.subtract(whole.offsets.slice(1), 1)
    return whole.values.field("content").take(ends)


def text_lengths(column: pa.ChunkedArray | pa.Array) -> Floats:
    """Of each text, or of each conversation's last turn, its characters."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    return _floats(pc.utf8_length(last_texts(chunked)))


def _floats(column: Any) -> Floats:
    import pyarrow.compute as pc

    return _floats_of(pc.drop_null(column).to_numpy())


def _floats_of(values: Any) -> Floats:
    import numpy as np

    found: Floats = np.asarray(values, dtype=np.float64)
    return found


def _joined(pieces: Sequence[Floats]) -> Floats:
    import numpy as np

    return np.concatenate(pieces) if pieces else np.zeros(0)
