"""The figures of a dataset that a card shows, with what they mean."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.dataset.card_tables import figure_text, table
from schemas.figures import main_figures, meaning


def figures_section(figures: Mapping[str, float]) -> str:
    """A short table of those that matter; empty if there is none of them."""
    rows = [(f"`{n}`", figure_text(figures[n]), meaning(n)) for n in main_figures(figures)]
    if not rows:
        return ""
    return (
        f"## Figures\n\n{table(('figure', 'value', 'meaning'), rows)}\n\n"
        "`manifest.json` has all that were measured."
    )
