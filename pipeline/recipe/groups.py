"""Which workers a step runs on: the recipe's, or those that a model has to itself."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.recipe import Placement, Recipe

GENERAL = ""
"""The group of workers that no model has to itself."""


def is_apart(role: str, placement: Placement) -> bool:
    """Whether a model has workers of its own."""
    own = placement.models.get(role)
    return own is not None and (own.workers is not None or own.devices is not None)


def groups_of(roles: Iterable[str], recipe: Recipe) -> dict[str, str]:
    """By role, the group that has to ask it. A server can be asked from any, so it is left out."""
    groups = {}
    for role in roles:
        entry = recipe.models.get(role)
        if is_apart(role, recipe.placement):
            groups[role] = role
        elif entry is None or entry.engine != "openai":
            groups[role] = GENERAL
    return groups


def group_of(roles: Iterable[str], recipe: Recipe) -> str:
    """The group of a step that uses these models; compiling made sure that there is but one."""
    return next(iter(groups_of(roles, recipe).values()), GENERAL)


def workers_come_from_elsewhere(placement: Placement) -> bool:
    """Whether others start the workers, on machines that nothing is known of here."""
    cluster = placement.cluster
    return placement.scheduler is not None or (cluster is not None and cluster.kind != "local")
