"""Names to stage records, settings to Configs: the steps of a recipe one by one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipeline.recipe.catalog import EXPORT_PREFIX, Catalog
from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.problems import validate
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.yaml_io import KeyPath
from schemas.errors import Problem
from schemas.stage import Stage, StageConfig

_STEP_KEYS = ("stage", "name")
_CAPS = ("rows", "limit")
"""Fields by which a source says how many rows it makes at most."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A step of the recipe, as far as it could be understood.

    Attributes:
        index: position among the stages, exports after them.
        path: where it stands in the recipe.
        name: what the recipe calls it.
        stage: its record; None if there is no such stage.
        config: its settings; None if they are wrong.
        after: of an export, the step whose rows it takes; None for the last.
        views: of an export, the consumers' layouts that are wanted beside it.
    """

    index: int
    path: KeyPath
    name: str
    stage: Stage[Any] | None = None
    config: StageConfig | None = None
    after: str | None = None
    views: tuple[str, ...] = ()


def entries(source: RecipeSource, section: str, key: str) -> Iterator[tuple[int, KeyPath, Any]]:
    """The items of a list in the recipe that say what they are; the rest is reported elsewhere."""
    items = source.data.get(section)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict) and isinstance(item.get(key), str) and item[key]:
            yield index, (section, index), item


def resolve_stages(source: RecipeSource, catalog: Catalog) -> tuple[list[Resolved], list[Problem]]:
    """The recipe's `stages`."""
    steps: list[Resolved] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, path, item in entries(source, "stages", "stage"):
        name = item["name"] if isinstance(item.get("name"), str) else item["stage"]
        if name in first:
            seen = f"two steps are called `{name}`, the other is stages[{first[name]}]"
            problems.append(source.problem(path, seen, advice="give one a `name` of its own"))
        first.setdefault(name, index)
        stage = catalog.steps.get(item["stage"])
        if stage is None:
            problems.append(_unknown_stage(source, path, item["stage"], catalog))
            steps.append(Resolved(index, path, name))
            continue
        settings = {key: value for key, value in item.items() if key not in _STEP_KEYS}
        config, found = validate(stage.config, settings, source, path)
        problems += found
        steps.append(Resolved(index, path, name, fitted(stage, config), config))
    return steps, problems


def fitted(stage: Stage[Any], config: StageConfig | None) -> Stage[Any]:
    """The record as its settings make it; as it is, if they are wrong."""
    return stage if config is None else stage.fit(config)


def _unknown_stage(source: RecipeSource, path: KeyPath, name: str, catalog: Catalog) -> Problem:
    place = (*path, "stage")
    if name in catalog.exporters:
        config = name.removeprefix(EXPORT_PREFIX)
        advice = f"it writes a dataset: move it to `export` as {{config: {config}}}"
        return source.problem(place, f"`{name}` is no step", advice=advice)
    if name in catalog.broken:
        return source.problem(place, f"stage `{name}` cannot be used: {catalog.broken[name]}")
    advice = did_you_mean(name, catalog.steps)
    return source.problem(place, f"there is no stage `{name}`", ", ".join(catalog.steps), advice)


def source_cap(stage: Stage[Any]) -> str | None:
    """The setting by which a source says how many rows it makes at most."""
    return next((name for name in _CAPS if name in stage.config.model_fields), None)


def apply_limit(source: RecipeSource, catalog: Catalog) -> RecipeSource:
    """Write `--limit` into the settings of the source stage, where keys and manifests see it."""
    items = source.data.get("stages")
    head = items[0] if isinstance(items, list) and items else None
    stage = catalog.steps.get(str(head.get("stage"))) if isinstance(head, dict) else None
    if source.limit is None or stage is None or stage.effect != "source":
        return source
    cap = source_cap(stage)
    if cap is None:
        seen = f"stage `{stage.name}` has no setting to limit its rows by"
        problem = Problem("stages[0]", seen, f"a field {' or '.join(_CAPS)}", file="--limit")
        return replace(source, problems=(*source.problems, problem))
    data = copy.deepcopy(source.data)
    settings = data["stages"][0]
    asked = settings.get(cap, stage.config.model_fields[cap].get_default())
    if asked is None or (isinstance(asked, int) and asked > source.limit):
        settings[cap] = source.limit
    return replace(source, data=data)
