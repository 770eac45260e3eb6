"""A run's labels as an audit takes them: of its dataset and of the work behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline.audit.labels import Labels
from pipeline.audit.pairs import Pair
from pipeline.audit.reading import read_pairs
from pipeline.audit.work import chosen_pairs, labels_of_run
from pipeline.runtime.labelled import LabelledWork, read_labelled_work, rows_of

_LABELLED = ("messages", "responses", "scores", "judgements", "preferences")
_PAIRED = ("messages", "chosen", "rejected", "chosen_model", "rejected_model")


def read_run_labels(out: Path) -> Labels:
    """Everything that a run's committed parts say of labels; there may be no pair yet.

    Raises:
        InputError: no run was ever started there, or a file of it is damaged.
    """
    work = read_labelled_work(out)
    rows = rows_of(work.labelled, _LABELLED)
    return labels_of_run(work.name, _pairs(out, work), rows, work.losses, work.combining)


def _pairs(out: Path, work: LabelledWork) -> Iterable[Pair]:
    """The run's pairs: of the dataset, or while there is none, of its work."""
    if (out / "dataset" / "dpo").is_dir():
        return read_pairs(out / "dataset" / "dpo", Counter(), Counter())
    return chosen_pairs(rows_of(work.paired, _PAIRED))
