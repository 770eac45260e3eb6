"""Which workers serve which models."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.recipe import Placement

GENERAL = ""
"""The group of workers that no model has to itself."""


def group_of(role: str, placement: Placement) -> str:
    """The workers of a model: its own if it is placed apart, else the general ones."""
    placed = placement.models.get(role)
    apart = placed is not None and (placed.workers is not None or placed.devices is not None)
    return role if apart else GENERAL


def groups_of(roles: Iterable[str], placement: Placement) -> set[str]:
    """The workers of several models; more than one group cannot serve one step."""
    return {group_of(role, placement) for role in roles}
