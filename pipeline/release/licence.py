"""Whether a release that is to be published states its licence, before work goes into it."""

from __future__ import annotations

from typing import Any

from pipeline.dataset.card_head import head_values
from pipeline.dataset.place import read_card
from pipeline.dataset.read import CARD, DatasetFolder
from pipeline.recipe.plan import Plan
from schemas.errors import InputError


def refuse_unlicensed(plan: Plan, last: DatasetFolder | None) -> None:
    """Raise InputError if neither the recipe nor the last release's card states a licence."""
    if plan.recipe.card.license or (last is not None and _head(last).get("license")):
        return
    raise InputError(
        "no licence is stated, and none is guessed: set `card: {license: ...}` in the recipe, "
        "write `license: ...` into the YAML of the last release's README.md, or add --no-license."
    )


def _head(last: DatasetFolder) -> dict[str, Any]:
    path = last.path / CARD
    return head_values(read_card(path), str(path))
