"""Do the parts of a recipe fit together: order, columns, model roles, placement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from pipeline.recipe.capabilities import declared_capabilities, why_unable
from pipeline.recipe.catalog import Catalog
from pipeline.recipe.flow import Columns, writers_of
from pipeline.recipe.groups import groups_of
from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.overrides import parse_path
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.resolve_steps import Resolved
from pipeline.recipe.yaml_io import dotted
from schemas.columns import SCORES, Column
from schemas.errors import Problem
from schemas.recipe import ModelEntry, Recipe
from schemas.stage import Need


def order_problems(
    source: RecipeSource, catalog: Catalog, steps: Sequence[Resolved]
) -> Iterator[Problem]:
    """The first step makes rows, and no other does."""
    sources = [name for name, stage in catalog.steps.items() if stage.effect == "source"]
    for step in steps:
        if step.stage is None:
            continue
        place = (*step.path, "stage")
        is_source = step.stage.effect == "source"
        if step.index == 0 and not is_source:
            seen = f"the first stage must make rows; `{step.stage.name}` takes some"
            yield source.problem(place, seen, ", ".join(sources))
        if step.index > 0 and is_source:
            seen = f"`{step.stage.name}` makes rows of its own; only the first stage may"
            yield source.problem(place, seen, "a stage that takes rows")


def column_problems(
    source: RecipeSource,
    catalog: Catalog,
    steps: Sequence[Resolved],
    exports: Sequence[Resolved],
) -> Iterator[Problem]:
    """Each column that is read was written before, with the same type, and still stands."""
    columns = Columns()
    for step in steps:
        if step.stage is None or (step.index == 0 and step.stage.effect != "source"):
            columns = columns.after_unknown()
        if step.stage is not None:
            yield from _reading_problems(source, catalog, steps, step, columns)
            columns = columns.after(step.stage, step.name)
    for step in exports:
        yield from _reading_problems(source, catalog, steps, step, columns)


def _reading_problems(
    source: RecipeSource,
    catalog: Catalog,
    steps: Sequence[Resolved],
    step: Resolved,
    columns: Columns,
) -> Iterator[Problem]:
    assert step.stage is not None, "callers pass resolved steps"
    for column in columns.missing(step.stage):
        seen = f"`{step.stage.name}` reads column `{column.name}`, which is not there"
        advice = _where_from(catalog, steps, step, column, columns)
        yield source.problem(step.path, seen, advice=advice)
    for found, wanted in columns.clashes(step.stage):
        seen = f"column `{found.name}` comes as {found.type}"
        yield source.problem(step.path, seen, f"{wanted.type}, as `{step.stage.name}` reads it")


def _where_from(
    catalog: Catalog,
    steps: Sequence[Resolved],
    reader: Resolved,
    column: Column,
    columns: Columns,
) -> str:
    """What to do about a column that is missing where `reader` stands."""
    if column.name in columns.dropped:
        return f"step `{columns.dropped[column.name]}` dropped it: move this step before that one"
    is_export = reader.path[0] == "export"
    for step in steps:
        if step.stage and step.index > reader.index and writers_of(column, [step.stage]):
            return f"step `{step.name}` ({dotted(step.path)}) makes it: move it before this step"
    makers = [name for name in writers_of(column, catalog.steps.values()) if name != reader.name]
    if not makers:
        return "no stage makes it"
    place = "add one to `stages`" if is_export else "put one before this step"
    return f"made by: {', '.join(makers)}; {place}"


def labeller_problems(source: RecipeSource, steps: Sequence[Resolved]) -> Iterator[Problem]:
    """A `labeller` setting names a step before that scores; without one there is no choice."""
    scorers: list[str] = []
    for step in steps:
        if step.stage is None:  # it may have scored
            return
        if step.config is not None and "labeller" in type(step.config).model_fields:
            chosen: str | None = getattr(step.config, "labeller", None)
            place, choices = (*step.path, "labeller"), ", ".join(scorers)
            if chosen is not None and chosen not in scorers:
                seen, advice = f"no step `{chosen}` scored before", did_you_mean(chosen, scorers)
                yield source.problem(place, seen, choices, advice)
            if chosen is None and len(scorers) > 1:
                yield source.problem(place, "missing, and several steps score answers", choices)
        if writers_of(SCORES, [step.stage]) and step.name not in scorers:
            scorers.append(step.name)


def role_problems(source: RecipeSource, steps: Sequence[Resolved]) -> Iterator[Problem]:
    """Each role that a stage names is in `models`, and its engine can do what the stage asks."""
    entries = source.data.get("models")
    models: dict[str, Any] = entries if isinstance(entries, dict) else {}
    for step in steps:
        if step.stage is None or step.config is None:
            continue
        for need in step.stage.needs(step.config):
            place = (*step.path, *parse_path(need.key))
            if need.role not in models:
                yield _unknown_role(source, place, need, models)
                continue
            yield from _capability_problems(source, place, step.stage.name, need, models)


def _unknown_role(
    source: RecipeSource, place: tuple[str | int, ...], need: Need, models: dict[str, Any]
) -> Problem:
    advice = did_you_mean(need.role, models)
    if not models:
        advice = f"add `models: {{{need.role}: {{model: <hub id or folder>}}}}`"
    seen = f"no model is called `{need.role}`"
    return source.problem(place, seen, ", ".join(models) or "a name under `models`", advice)


def _capability_problems(
    source: RecipeSource,
    place: tuple[str | int, ...],
    stage: str,
    need: Need,
    models: dict[str, Any],
) -> Iterator[Problem]:
    try:
        entry = ModelEntry.model_validate(models[need.role])
    except ValidationError:  # reported with the recipe's own problems
        return
    for capability in sorted(need.capabilities - declared_capabilities(entry)):
        reason, advice = why_unable(entry, capability)
        seen = f"`{stage}` needs `{capability}` of model `{need.role}`, and {reason}"
        yield source.problem(place, seen, advice=advice)


def placement_problems(source: RecipeSource) -> Iterator[Problem]:
    """Placement speaks of models that exist."""
    models, placement = source.data.get("models"), source.data.get("placement")
    placed = placement.get("models") if isinstance(placement, dict) else None
    known = list(models) if isinstance(models, dict) else []
    for role in placed if isinstance(placed, dict) else ():
        if role not in known:
            place = ("placement", "models", role)
            seen, advice = f"no model is called `{role}`", did_you_mean(role, known)
            yield source.problem(place, seen, ", ".join(known), advice)


def cluster_problems(source: RecipeSource, recipe: Recipe | None) -> Iterator[Problem]:
    """The workers come from one place, at an address that Dask can speak to."""
    if recipe is None:
        return
    placement = recipe.placement
    if placement.scheduler is not None:
        scheme = placement.scheduler.partition("://")[0]
        if scheme not in _SCHEMES or "://" not in placement.scheduler:
            seen = f"{placement.scheduler!r} is no address of a Dask scheduler"
            allowed = ", ".join(f"{scheme}://HOST:PORT" for scheme in _SCHEMES)
            yield source.problem(("placement", "scheduler"), seen, allowed)
        if placement.cluster is not None:
            seen = "a running scheduler and a cluster to start; workers come from one of them"
            yield source.problem(("placement", "cluster"), seen, advice="leave out one")
    if placement.cluster is not None and placement.workers == 0:
        seen = "0 workers run in this process, and there is a cluster to start"
        yield source.problem(("placement", "workers"), seen, "1 or more with `cluster`")


_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")


def apart_problems(
    source: RecipeSource, recipe: Recipe | None, steps: Sequence[Resolved]
) -> Iterator[Problem]:
    """A step is done by one worker, so its models must be together."""
    if recipe is None:
        return
    for step in steps:
        if step.stage is None or step.config is None:
            continue
        roles = [need.role for need in step.stage.needs(step.config)]
        if len(groups_of(roles, recipe.placement)) > 1:
            seen = f"asks {', '.join(f'`{role}`' for role in roles)}, which are placed apart"
            advice = (
                "write a step for each, or drop their `workers` and `devices` under "
                "placement.models, so that they take turns"
            )
            yield source.problem(step.path, seen, advice=advice)
