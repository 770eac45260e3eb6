"""Figures as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def figures_text(figures: Mapping[str, Any]) -> str:
    """Figures in one line, as a person reads them."""
    return ", ".join(
        f"{name.replace('_', ' ')} {figure_text(value)}" for name, value in figures.items()
    )


def figure_text(value: Any) -> str:
    """One figure: four digits of a fraction, thousands of a count set apart."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
