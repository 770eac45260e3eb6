"""Where and when each step is done: by which workers, in which turn, how many parts at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from pipeline.engines.base import ModelSpec
from pipeline.recipe.groups import GENERAL, groups_of
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.state import Shape
from schemas.recipe import Placement

_MOST_LANES = 32


def shapes_of(steps: Sequence[KeyedStep], placement: Placement) -> list[Shape]:
    """What decides the order of the steps.

    Models that share workers take turns, in the order of the recipe: a step that asks other models
    than the one before it in its group begins a new turn. A step that asks none goes with the step
    whose rows it takes.
    """
    shapes: list[Shape] = []
    models: dict[str, frozenset[str]] = {}
    turns: dict[str, int] = {}
    for step in steps:
        asked = frozenset(step.specs)
        (group,) = groups_of(asked, placement) or {GENERAL}  # compiling saw to it that it is one
        if not asked and step.parent is not None:
            group = shapes[step.parent].group
        if asked and models.setdefault(group, asked) != asked:
            models[group] = asked
            turns[group] = turns.get(group, 0) + 1
        two_pass = step.step.stage.dataset_pass is not None
        lanes = lanes_for(step.specs.values(), placement)
        shapes.append(Shape(step.parent, two_pass, group, turns.get(group, 0), lanes))
    return shapes


def lanes_for(specs: Iterable[ModelSpec], placement: Placement) -> int:
    """How many parts of a step one worker should have in hand.

    One, unless an engine batches requests as they come: then so many that while the last answers
    of one part are sampled the others still fill the batch twice.
    """
    if not (continuous := [spec for spec in specs if spec.continuous]):
        return 1
    if placement.parts_in_flight is not None:
        return placement.parts_in_flight
    requests = 2 * max(spec.placement.max_num_seqs for spec in continuous)
    return min(1 + ceil(requests / placement.part_rows), _MOST_LANES)
