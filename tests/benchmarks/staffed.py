"""Workers for the first steps of a plan, as `prefmill run` would have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engines.base import ModelSpec
from pipeline.recipe.plan import Plan
from pipeline.runtime.fleet import Fleet
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.shapes import shapes_of
from pipeline.runtime.state import Shape
from pipeline.runtime.survey import survey_fleet


def staffed(
    plan: Plan, specs: Mapping[str, ModelSpec], steps: Sequence[KeyedStep]
) -> tuple[list[Shape], Fleet]:
    """Their order, and the workers."""
    return shapes_of(plan, specs, steps), survey_fleet(plan, specs).fleet
