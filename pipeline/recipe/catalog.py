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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
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

    steps: Mapping[str, Stage[Any]]
    exporters: Mapping[str, Stage[Any]]
    broken: dict[str, str]


class _Records(Mapping[str, Stage[Any]]):
    """Records by name, those of the folder `stages/` imported when they are looked at."""

    def __init__(self, names: list[str], plugins: dict[str, Stage[Any]]) -> None:
        self._names = names
        self._plugins = plugins

    def __getitem__(self, name: str) -> Stage[Any]:
        return _builtin(name) if name in self._names else self._plugins[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self._plugins

    def __iter__(self) -> Iterator[str]:
        yield from self._names
        yield from self._plugins

    def __len__(self) -> int:
        return len(self._names) + len(self._plugins)


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
    """Every stage there is; of plugins, every one is imported."""
    plugins, broken = _plugins()
    return Catalog(_records(plugins, exporters=False), _records(plugins, exporters=True), broken)


def _records(plugins: dict[str, Stage[Any]], *, exporters: bool) -> _Records:
    def wanted(name: str) -> bool:
        return name.startswith(EXPORT_PREFIX) == exporters

    names = list(filter(wanted, builtin_names()))
    return _Records(names, {name: plugins[name] for name in plugins if wanted(name)})


@cache
def builtin_names() -> tuple[str, ...]:
    """Modules of the folder `stages/`, but for helpers whose name starts with `_`."""
    modules = (module for module in pkgutil.iter_modules(stages.__path__) if not module.ispkg)
    return tuple(sorted(module.name for module in modules if not module.name.startswith("_")))


def _builtin(name: str) -> Stage[Any]:
    record: Stage[Any] = importlib.import_module(f"stages.{name}").STAGE
    return record


@cache
def _plugins() -> tuple[dict[str, Stage[Any]], dict[str, str]]:
    """Stages from entry points, and what is wrong with the rest.

    Once for a process: Python reads about every installed distribution for it.
    """
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
