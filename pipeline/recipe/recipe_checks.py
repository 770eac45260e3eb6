"""Do the parts of a recipe fit together: order, columns, model roles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from pipeline.recipe.capabilities import declared_capabilities, why_unable
from pipeline.recipe.catalog import Catalog
from pipeline.recipe.flow import Columns, writers_of
from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.overrides import parse_path
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.resolve_steps import Resolved
from pipeline.recipe.yaml_io import KeyPath, dotted
from schemas.columns import SCORES, Column
from schemas.errors import Problem
from schemas.recipe import ModelEntry
from schemas.stage import Need


def order_problems(
    source: RecipeSource, catalog: Catalog, steps: Sequence[Resolved]
) -> Iterator[Problem]:
    """The first step makes rows, and no other does."""
    for step in steps:
        if step.stage is None:
            continue
        place = (*step.path, "stage")
        is_source = step.stage.effect == "source"
        if step.index == 0 and not is_source:
            seen = f"the first stage must make rows; `{step.stage.name}` takes some"
            sources = (name for name, stage in catalog.steps.items() if stage.effect == "source")
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
    made: dict[str, Columns] = {}
    for step in steps:
        if step.stage is None or (step.index == 0 and step.stage.effect != "source"):
            columns = columns.after_unknown()
        if step.stage is not None:
            yield from _reading_problems(source, catalog, steps, step, columns)
            columns = columns.after(step.stage, step.name)
        made[step.name] = columns
    for step in exports:
        if step.after is not None and step.after not in made:
            advice = did_you_mean(step.after, made)
            seen = f"no step is called `{step.after}`"
            yield source.problem((*step.path, "after"), seen, ", ".join(made), advice)
            continue
        there = columns if step.after is None else made[step.after]
        yield from _reading_problems(source, catalog, steps, step, there)


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
        near = did_you_mean(column.name, columns.present)
        return f"no stage makes it; {near}" if near else "no stage makes it"
    place = "add one to `stages`" if is_export else "put one before this step"
    return f"made by: {', '.join(makers)}; {place}"


def labeller_problems(source: RecipeSource, steps: Sequence[Resolved]) -> Iterator[Problem]:
    """What `labeller` and `labellers` name scored before; without a name there is no choice."""
    scorers: list[str] = []
    for step in steps:
        if step.stage is None:  # it may have scored
            return
        fields = type(step.config).model_fields if step.config is not None else {}
        is_unnamed = "labeller" in fields and getattr(step.config, "labeller", None) is None
        if is_unnamed and len(scorers) > 1:
            seen = "missing, and several steps score answers"
            yield source.problem((*step.path, "labeller"), seen, ", ".join(scorers))
        for path, labeller in _named_labellers(step):
            scorer = labeller.partition("/")[0]  # <step>/<attribute> is the step's to give
            if scorer not in scorers:
                seen, advice = f"no step `{scorer}` scored before", did_you_mean(scorer, scorers)
                yield source.problem(path, seen, ", ".join(scorers), advice)
        if writers_of(SCORES, [step.stage]) and step.name not in scorers:
            scorers.append(step.name)


def _named_labellers(step: Resolved) -> Iterator[tuple[KeyPath, str]]:
    """The labellers that a step's settings name, and where."""
    labeller: str | None = getattr(step.config, "labeller", None)
    if labeller is not None:
        yield (*step.path, "labeller"), labeller
    several: Sequence[str] = getattr(step.config, "labellers", ())
    for index, one in enumerate(several):
        yield (*step.path, "labellers", index), one


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
