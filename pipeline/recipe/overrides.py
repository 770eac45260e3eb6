"""`--set key.path=value`: one value of a recipe, changed from the command line.

A step of the path is a key, or a list position in brackets; an item of `stages` also goes by its
name and an item of `export` by its config: `stages.magpie.rows=8`, `stages[0].rows=8`.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.yaml_io import KeyPath, parse_yaml
from schemas.errors import Problem, RecipeError

_STEP = re.compile(r"([^.\[\]=]+)|\[(\d+)\]")
_PATH = re.compile(r"[^.\[\]=]+(?:\.[^.\[\]=]+|\[\d+\])*")
_NAMES = ("name", "stage", "config")
"""Keys by which an item of a list can be called, the most particular first."""


def parse_path(text: str) -> KeyPath:
    """`stages[1].rows` as ("stages", 1, "rows")."""
    return tuple(
        int(match[2]) if match[2] is not None else match[1] for match in _STEP.finditer(text)
    )


def apply_override(data: dict[str, Any], text: str) -> KeyPath:
    """Set one value in `data`, in place; return where it stands now.

    Raises:
        RecipeError: the text is no assignment, its value is not YAML, or its path leads nowhere.
    """
    key, equals, value_text = text.partition("=")
    if not equals or not _PATH.fullmatch(key):
        raise _refused(text, "not an assignment", "key.path=value, as in stages.magpie.rows=8")
    document = parse_yaml(value_text, "--set")
    if document.problems:
        raise RecipeError(
            [Problem(key, p.seen, p.allowed, file="--set") for p in document.problems]
        )
    place: KeyPath = ()
    holder: Any = data
    *parents, last = parse_path(key)
    for step in parents:
        found = _locate(holder, step, key)
        if isinstance(holder, dict) and holder.get(found) is None:
            holder[found] = {}
        holder = holder[found]
        place = (*place, found)
    found = _locate(holder, last, key)
    holder[found] = document.value
    return (*place, found)


def _locate(holder: Any, step: str | int, key: str) -> Any:
    """The key or position that `step` means inside `holder`."""
    if isinstance(holder, dict):
        return str(step)
    if not isinstance(holder, list):
        raise _refused(key, f"`{step}` would be inside a single value", "a key of a mapping")
    if isinstance(step, int):
        if step < len(holder):
            return step
        raise _refused(key, f"there is no item {step}", f"0 to {len(holder) - 1}")
    names = [_name(item) for item in holder]
    if names.count(step) == 1:
        return names.index(step)
    if step in names:
        raise _refused(key, f"several items are called `{step}`", "a position, as in stages[0]")
    known = [name for name in names if name]
    advice = did_you_mean(step, known)
    raise _refused(key, f"no item is called `{step}`", ", ".join(known) or "a position", advice)


def _name(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    return next((str(item[key]) for key in _NAMES if item.get(key)), "")


def _refused(key: str, seen: str, allowed: str, advice: str = "") -> RecipeError:
    return RecipeError([Problem(key, seen, allowed, advice, file="--set")])
