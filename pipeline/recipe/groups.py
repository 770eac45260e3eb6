"""Which workers a step runs on: the recipe's, or those that a model has to itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from schemas.recipe import Placement

GENERAL = ""
"""The group of workers that no model has to itself."""


def is_apart(role: str, placement: Placement) -> bool:
    """Whether a model has workers of its own."""
    own = placement.models.get(role)
    return own is not None and (own.workers is not None or own.devices is not None)


def groups_of(
    roles: Iterable[str], placement: Placement, servers: Collection[str] = ()
) -> dict[str, str]:
    """By role, the group of workers that has to ask it.

    Args:
        servers: roles with `engine: openai`. They can be asked from anywhere, so those without
            workers of their own are left out.
    """
    groups = {}
    for role in roles:
        if is_apart(role, placement):
            groups[role] = role
        elif role not in servers:
            groups[role] = GENERAL
    return groups


def group_of(roles: Iterable[str], placement: Placement, servers: Collection[str] = ()) -> str:
    """The group of a step that uses these models; compiling made sure that there is but one."""
    return next(iter(groups_of(roles, placement, servers).values()), GENERAL)


def workers_come_from_elsewhere(placement: Placement) -> bool:
    """Whether others start the workers, on machines that nothing is known of here."""
    cluster = placement.cluster
    return placement.scheduler is not None or (cluster is not None and cluster.kind != "local")
