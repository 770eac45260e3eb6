"""The figures of a dataset that a card shows, with what they mean."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.dataset.figure_words import figure_text
from pipeline.tables import markdown_table
from schemas.figures import main_figures, meaning


def figures_section(figures: Mapping[str, float]) -> str:
    """A short table of those that matter; empty if there is none of them."""
    rows = [(f"`{n}`", figure_text(figures[n]), meaning(n)) for n in main_figures(figures)]
    if not rows:
        return ""
    return (
        f"## Figures\n\n{markdown_table(('figure', 'value', 'meaning'), rows)}\n\n"
        "`manifest.json` has all that were measured."
    )
