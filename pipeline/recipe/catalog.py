"""The stages by name. The folder `stages/` is the table; packages add theirs by entry point.

A module is imported when its stage is asked for. A third-party package declares

    [project.entry-points."prefmill.stages"]
    my_stage = "my_package.my_stage:STAGE"

A plugin that cannot be loaded, or that takes a name that is taken, is reported and left out; it
hides no other stage.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import stages
from pipeline.recipe.nearest import did_you_mean
from schemas.errors import InputError
from schemas.stage import Stage

GROUP = "prefmill.stages"
EXPORT_PREFIX = "export_"
"""A stage that writes dataset config X is called `export_X`; recipes name it under `export`."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All stages that can be loaded, and why others cannot.

    Attributes:
        steps: stages that a recipe may list under `stages`.
        exporters: stages that write a dataset config, by `export_<config>`.
        broken: name of each plugin that was left out, with the reason.
    """

    steps: dict[str, Stage[Any]]
    exporters: dict[str, Stage[Any]]
    broken: dict[str, str]


def find_stage(name: str) -> Stage[Any]:
    """The record of one stage.

    Raises:
        InputError: there is no such stage, or its plugin is broken; names the nearest.
    """
    if name in builtin_names():
        return _builtin(name)
    found, broken = _plugins()
    if name in found:
        return found[name]
    if name in broken:
        raise InputError(f"stage `{name}` cannot be used: {broken[name]}")
    known = [*builtin_names(), *found]
    advice = did_you_mean(name, known)
    raise InputError(f"there is no stage `{name}`; {advice or 'known: ' + ', '.join(known)}")


def load_catalog() -> Catalog:
    """Import every stage."""
    plugins, broken = _plugins()
    records = {name: _builtin(name) for name in builtin_names()} | plugins
    exporters = {n: record for n, record in records.items() if n.startswith(EXPORT_PREFIX)}
    steps = {n: record for n, record in records.items() if n not in exporters}
    return Catalog(steps, exporters, broken)


def builtin_names() -> list[str]:
    """Modules of the folder `stages/`, but for helpers whose name starts with `_`."""
    modules = pkgutil.iter_modules(stages.__path__)
    return sorted(module.name for module in modules if not module.name.startswith("_"))


def _builtin(name: str) -> Stage[Any]:
    record: Stage[Any] = importlib.import_module(f"stages.{name}").STAGE
    return record


def _plugins() -> tuple[dict[str, Stage[Any]], dict[str, str]]:
    """Stages from entry points, and what is wrong with the rest."""
    found: dict[str, Stage[Any]] = {}
    broken: dict[str, str] = {}
    taken = set(builtin_names())
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        if entry.name in taken:
            broken[entry.name] = f"`{entry.value}` takes a name that another stage has"
            continue
        taken.add(entry.name)
        record = _load(entry)
        if isinstance(record, Stage):
            found[entry.name] = record
        else:
            broken[entry.name] = record
    return found, broken


def _load(entry: EntryPoint) -> Stage[Any] | str:
    """A plugin's record, or what is wrong with it."""
    try:
        record = entry.load()
    except Exception as error:  # third-party code: whatever it raises must not stop the others
        return f"`{entry.value}` cannot be imported: {type(error).__name__}: {error}"
    if not isinstance(record, Stage):
        return f"`{entry.value}` is a {type(record).__name__}, not a schemas.stage.Stage"
    if record.name != entry.name:
        return f"`{entry.value}` calls itself `{record.name}`"
    return record
