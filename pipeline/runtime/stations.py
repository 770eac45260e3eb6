"""Where each step of a plan runs, when its models have their turn, and how it is fed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.engines.base import ModelSpec
from pipeline.recipe.groups import GENERAL, group_of
from pipeline.recipe.plan import Plan, Step
from schemas.recipe import Placement

_BATCHES_IN_HAND = 8
"""Requests in hand, in units of what the engine serves at once."""

_FEWEST_LANES, _MOST_LANES = 2, 64
"""Of an engine that serves many requests at once: while one part drains another fills it, and a
worker needs a thread for each."""


@dataclass(frozen=True, slots=True)
class Station:
    """Where a step runs.

    Attributes:
        group: whose workers: the role that has them to itself, or GENERAL.
        turn: models take turns on a group's workers; steps of one turn may run side by side.
        lanes: parts that a worker has in hand at once.
    """

    group: str
    turn: int
    lanes: int


def stations(plan: Plan, specs: Mapping[str, ModelSpec]) -> tuple[Station, ...]:
    """A Station for each step, then for each export: by their numbers."""
    placement = plan.recipe.placement
    used = [[need.role for need in step.needs] for step in (*plan.steps, *plan.exports)]
    groups = _groups(plan)
    local = [frozenset(role for role in roles if specs[role].is_local) for roles in used]
    return tuple(
        Station(group, turn, _lanes([specs[role] for role in roles], placement))
        for group, turn, roles in zip(
            groups, turns(list(zip(groups, local, strict=True))), used, strict=True
        )
    )


def _groups(plan: Plan) -> list[str]:
    entries = plan.recipe.models.items()
    servers = {role for role, entry in entries if entry.engine == "openai"}
    groups: list[str] = []
    for step in plan.steps:
        groups.append(_group(plan, step, servers, groups[-1] if groups else GENERAL))
    return groups + [_group(plan, step, servers, groups[-1]) for step in plan.exports]


def _group(plan: Plan, step: Step, servers: Collection[str], parent: str) -> str:
    """Without a model a step runs where its rows were made."""
    if not step.needs:
        return parent
    return group_of((need.role for need in step.needs), plan.recipe.placement, servers)


def turns(uses: Sequence[tuple[str, frozenset[str]]]) -> list[int]:
    """The turn of each step, given its group and the local models it uses.

    Within a group the turn goes on where a step uses other models than the one before; a step
    without any disturbs no engine and joins the turn that is on.
    """
    turn: dict[str, int] = {}
    open_models: dict[str, frozenset[str]] = {}
    found = []
    for group, models in uses:
        before = open_models.get(group, frozenset())
        turn[group] = turn.get(group, 0) + int(bool(before and models and models != before))
        open_models[group] = models or before
        found.append(turn[group])
    return found


def _lanes(specs: Sequence[ModelSpec], placement: Placement) -> int:
    if placement.workers == 0 and placement.scheduler is None:
        return 1  # one part at a time, in this process
    if placement.parts_in_flight is not None:
        return placement.parts_in_flight
    return max((lanes_for(spec, placement.part_rows) for spec in specs), default=1)


def lanes_for(spec: ModelSpec, part_rows: int) -> int:
    """Parts from which an engine is fed, so that it never waits for the end of one.

    A part is in hand until its longest answer is there. Meanwhile the engine serves others, and
    the more the longer that answer is beside the mean: with lengths of 10:1 several times what it
    serves at once. A part of `part_rows` rows counts as that many requests.
    """
    if not spec.continuous:
        return 1
    waiting = -(-_BATCHES_IN_HAND * spec.placement.max_num_seqs // part_rows)
    return min(max(1 + waiting, _FEWEST_LANES), _MOST_LANES)


def lanes_by_group(found: Iterable[Station]) -> dict[str, int]:
    """By group, how many parts a worker of it has in hand at most."""
    lanes: dict[str, int] = {}
    for station in found:
        lanes[station.group] = max(station.lanes, lanes.get(station.group, 1))
    return lanes
