"""Ties: pairs on which a labeller has no preference."""

from __future__ import annotations

from pipeline.audit.figures import Line, Section, share
from pipeline.audit.pairs import Labels

_MEANING = (
    "The share of pairs that a labeller finds equal: a strength of zero, or equal scores. A tie "
    "that became chosen and rejected all the same teaches noise: look at `scores` beside `label`."
)


def ties(labels: Labels) -> Section:
    """Share of ties by labeller."""
    lines = []
    for name in labels.labellers:
        verdicts = [verdict for _, verdict in labels.of(name)]
        lines.append(Line(name, {"ties": share(verdicts.count(0.5), len(verdicts), "no pairs")}))
    return Section("ties", "Ties", _MEANING, tuple(lines), "" if lines else "there are no labels")
