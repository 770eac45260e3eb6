"""The figures of a dataset that a card shows, with what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.dataset.card_tables import figure_text, table

_MEANINGS = (
    (r".*\bmargin\.mean", "mean gap between the scores of chosen and rejected, in their units"),
    (r".*\btie_(rate|share)", "share of the comparisons without a winner"),
    (r".*\bflip_(rate|share)", "share of the comparisons won by place: turned about with it"),
    (r".*\bchosen_longer(\.share)?", "share of the pairs whose chosen answer is the longer one"),
    (r".*\bduplicate_(rate|share)", "share of the rows dropped because another has their text"),
    (r".*\bfailed_(rate|share)", "share of the questions to the judge without a verdict"),
    (r".*\b(?:chosen|rejected)\.(?:length|words|chars|tokens)\.mean", "mean length of the answers"),
)


def figures_section(figures: Mapping[str, float]) -> str:
    """A short table of those that matter; empty if there is none of them."""
    known = [
        (name, value, meaning)
        for pattern, meaning in _MEANINGS
        for name, value in sorted(figures.items())
        if re.fullmatch(pattern, name)
    ]
    if not known:
        return ""
    rows = [(f"`{name}`", figure_text(value), meaning) for name, value, meaning in known]
    return (
        f"## Figures\n\n{table(('figure', 'value', 'meaning'), rows)}\n\n"
        "`manifest.json` has all that were measured."
    )
