"""What the state machine is told of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engines.base import ModelSpec
from pipeline.recipe.plan import Plan
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.state import Shape
from pipeline.runtime.stations import stations


def shapes_of(
    plan: Plan, specs: Mapping[str, ModelSpec], steps: Sequence[KeyedStep]
) -> list[Shape]:
    """The shapes of the first steps of a plan, or of all."""
    return [
        Shape(
            parent=step.parent,
            two_pass=step.step.stage.dataset_pass is not None,
            group=station.group,
            turn=station.turn,
            lanes=station.lanes,
        )
        for step, station in zip(steps, stations(plan, specs), strict=False)
    ]
