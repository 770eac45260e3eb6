"""Everything that is known of a run's labels, as an audit takes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.labelled import LabelledWork, read_labelled_work, rows_of
from schemas.columns import (
    CHOSEN,
    CHOSEN_MODEL,
    JUDGEMENTS,
    MESSAGES,
    PREFERENCES,
    REJECTED,
    REJECTED_MODEL,
    RESPONSES,
    SCORES,
)

if TYPE_CHECKING:
    from pipeline.audit.labels import Labels
    from pipeline.audit.pairs import Pair

_LABELLED = tuple(c.name for c in (MESSAGES, RESPONSES, SCORES, JUDGEMENTS, PREFERENCES))
_PAIRED = tuple(c.name for c in (MESSAGES, CHOSEN, REJECTED, CHOSEN_MODEL, REJECTED_MODEL))


def read_run_labels(
    out: Path, *, published: bool, factors: Collection[str] | None = None
) -> Labels:
    """The labels of a run in an output folder; empty if it has labelled no pair yet.

    Args:
        out: the output folder.
        published: take the pairs of the dataset there, where one was written; else those of the
            run's work, which a dataset of an earlier run cannot hide.
        factors: of answers that are wanted, see `pipeline.audit.factors`.

    Raises:
        InputError: no run was ever started there.
    """
    from pipeline.audit.work import labels_of_run

    work = read_labelled_work(out)
    rows = rows_of(work.labelled, _LABELLED)
    pairs = _pairs(out, work, published)
    return labels_of_run(work.name, pairs, rows, work.losses, work.combining, factors)


def _pairs(out: Path, work: LabelledWork, published: bool) -> Iterable[Pair]:
    from pipeline.audit.reading import read_pairs
    from pipeline.audit.work import chosen_pairs

    dataset = out / "dataset" / "dpo"
    if published and dataset.is_dir():
        return read_pairs(dataset, Counter(), Counter())
    return chosen_pairs(rows_of(work.paired, _PAIRED))
