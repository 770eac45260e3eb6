"""The recipe's `export`: dataset configs to write, and views of them in consumers' layouts.

An exporter's own layouts are the values that its setting `layout` takes. Any other layout is a view
of what it writes, made at the end of the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pipeline.dataset.layouts.record import kind_of
from pipeline.dataset.layouts.table import LAYOUTS, layouts_for, what_makes
from pipeline.recipe.catalog import EXPORT_PREFIX, Catalog
from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.problems import validate
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.resolve_steps import Resolved, entries, fitted
from pipeline.recipe.yaml_io import KeyPath
from schemas.errors import Problem
from schemas.stage import Stage

_LAYOUT = "layout"
_AFTER = "after"
_EXPORT_KEYS = ("config", _AFTER)


@dataclass(slots=True)
class _Export:
    """A config that is exported, and all layouts it was asked for in."""

    index: int
    settings: dict[str, Any]
    step: Resolved
    layouts: list[object] = field(default_factory=list)


def resolve_exports(
    source: RecipeSource, catalog: Catalog, offset: int
) -> tuple[list[Resolved], list[Problem]]:
    """The recipe's `export`, as steps numbered from `offset`.

    A config may stand there again with another layout.
    """
    exports: dict[str, _Export] = {}
    problems: list[Problem] = []
    for index, path, item in entries(source, "export", "config"):
        name = item["config"]
        stage = catalog.exporters.get(EXPORT_PREFIX + name)
        if stage is None:
            known = [each.removeprefix(EXPORT_PREFIX) for each in catalog.exporters]
            seen, advice = f"no exporter for `{name}`", did_you_mean(name, known)
            problems.append(source.problem((*path, "config"), seen, ", ".join(known), advice))
            continue
        view, settings = _view_of(stage, item)
        earlier = exports.get(name)
        if earlier is None:
            config, found = validate(stage.config, settings, source, path)
            problems += found
            record, after = fitted(stage, config), _after(item)
            step = Resolved(
                offset + index, path, stage.name, record, config, after, views=_named(view)
            )
            exports[name] = _Export(index, settings, step, [item.get(_LAYOUT)])
        elif _is_another(earlier, item, settings):
            earlier.layouts.append(item[_LAYOUT])
            earlier.step = replace(earlier.step, views=(*earlier.step.views, *_named(view)))
        else:
            seen = f"`{name}` is exported twice, first by export[{earlier.index}]"
            allowed = "each config once, or again with another layout and the same settings"
            problems.append(source.problem((*path, "config"), seen, allowed))
            continue
        if view is not None:
            problems += _view_problems(source, path, exports[name].step.stage, view)
    return [export.step for export in exports.values()], problems


def own_layouts(stage: Stage[Any]) -> tuple[str, ...]:
    """The layouts that an exporter writes itself; empty if it does not list them."""
    setting = stage.config.model_fields.get(_LAYOUT)
    return get_args(setting.annotation) if setting else ()


def layouts_of(stage: Stage[Any]) -> tuple[str, ...]:
    """All layouts in which a recipe can ask for what an exporter writes."""
    own = own_layouts(stage)
    names = (column.name for column in stage.writes)
    return (*own, *(name for name in layouts_for(kind_of(set(names))) if name not in own))


def _view_of(stage: Stage[Any], item: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The view that an entry asks for, if any, and the exporter's own settings."""
    settings = {key: value for key, value in item.items() if key not in _EXPORT_KEYS}
    own, layout = own_layouts(stage), item.get(_LAYOUT)
    if not own or not isinstance(layout, str) or layout in own:
        return None, settings
    del settings[_LAYOUT]
    return layout, settings


def _after(item: dict[str, Any]) -> str | None:
    """The step that an entry names; what is no name is reported with the recipe's own problems."""
    after = item.get(_AFTER)
    return after if isinstance(after, str) else None


def _named(view: str | None) -> tuple[str, ...]:
    return () if view is None else (view,)


def _is_another(earlier: _Export, item: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Whether an entry repeats an earlier one in a layout that it was not yet asked for in."""
    plain = [
        {k: v for k, v in each.items() if k != _LAYOUT} for each in (settings, earlier.settings)
    ]
    is_same = plain[0] == plain[1] and _after(item) == earlier.step.after
    return _LAYOUT in item and item[_LAYOUT] not in earlier.layouts and is_same


def _view_problems(
    source: RecipeSource, path: KeyPath, stage: Stage[Any] | None, view: str
) -> list[Problem]:
    assert stage is not None, "an exporter was found"
    allowed = layouts_of(stage)
    if view in allowed:
        return []
    name = stage.name.removeprefix(EXPORT_PREFIX)
    if view in LAYOUTS:
        seen = f"layout `{view}` cannot hold `{name}`"
        advice = what_makes(LAYOUTS[view])
    else:
        seen, advice = f"there is no layout `{view}`", did_you_mean(view, allowed)
    return [source.problem((*path, _LAYOUT), seen, ", ".join(allowed), advice)]
