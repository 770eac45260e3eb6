"""Whether a release that is to be published states its licence, before work goes into it."""

from __future__ import annotations

from pipeline.dataset.read import CARD, DatasetFolder
from pipeline.hub.changes import license_of
from pipeline.recipe.plan import Plan
from schemas.errors import InputError


def refuse_unlicensed(plan: Plan, last: DatasetFolder | None) -> None:
    """Raise InputError if neither the recipe nor the last release's card states a licence."""
    if plan.recipe.card.license or (last is not None and _license_of(last)):
        return
    raise InputError(
        "no licence is stated, and none is guessed: set `card: {license: ...}` in the recipe, "
        "write `license: ...` into the YAML of the last release's README.md, or add --no-license."
    )


def _license_of(last: DatasetFolder) -> str | None:
    return license_of((last.path / CARD).read_text(encoding="utf-8"), str(last.path))
