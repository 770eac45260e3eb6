"""What the state machine is told of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
        replace(plain_shape(step), group=station.group, turn=station.turn, lanes=station.lanes)
        for step, station in zip(steps, stations(plan, specs), strict=False)
    ]


def plain_shape(step: KeyedStep) -> Shape:
    """The shape of a step where one worker does everything."""
    stage = step.step.stage
    return Shape(step.parent, stage.dataset_pass is not None, runs=stage.run is not None)
