"""Quality gates: figures held to their bounds before anything is published."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import GateFailed
from schemas.recipe import Gates


def check_gates(gates: Gates, figures: Mapping[str, float]) -> None:
    """Hold figures to their bounds.

    Raises:
        GateFailed: a figure is out of bounds; says which, its value and the limit.
    """
    for name, value in figures.items():
        if name.endswith(".rows") and value < gates.min_rows:
            raise GateFailed(
                f"gate min_rows: {name} is {value:.0f}, the recipe asks for at least "
                f"{gates.min_rows}. No dataset was written. See the reasons with "
                "`prefmill status DIR --rejects`; raise the rows of the source, or lower the gate."
            )
