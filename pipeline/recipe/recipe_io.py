"""Reads a recipe: YAML, then `--set`, and remembers where each value stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.recipe.overrides import apply_override
from pipeline.recipe.yaml_io import KeyPath, dotted, parse_yaml
from schemas.errors import Problem, RecipeError

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RecipeSource:
    """A recipe as text says it, not yet checked against the models.

    Attributes:
        path: the file.
        data: the whole recipe, `--set` applied.
        lines: 1-based line of each key and list item in the file.
        overridden: what `--set` put there.
        problems: what is wrong already.
        limit: `--limit`: at most this many rows from the source stage.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]
    overridden: tuple[KeyPath, ...] = ()
    problems: tuple[Problem, ...] = ()
    limit: int | None = None

    def problem(self, path: KeyPath, seen: str, allowed: str = "", advice: str = "") -> Problem:
        """A problem with what stands at `path`, with the nearest line that is known."""
        if any(path[: len(place)] == place for place in self.overridden):
            return Problem(dotted(path), seen, allowed, advice, file="--set")
        known = (path[:end] for end in range(len(path), 0, -1))
        line = next((self.lines[place] for place in known if place in self.lines), None)
        return Problem(dotted(path), seen, allowed, advice, file=str(self.path), line=line)


def read_recipe(
    path: Path | str, overrides: Sequence[str] = (), limit: int | None = None
) -> RecipeSource:
    """Read a recipe and apply `--set key.path=value` and `--limit`.

    Raises:
        RecipeError: the file cannot be read or holds no mapping. Lesser problems travel in
            `RecipeSource.problems`, so that `compile_recipe` can report all at once.
    """
    path = Path(path)
    document = parse_yaml(_read_text(path), str(path))
    if not isinstance(document.value, dict):
        raise RecipeError(document.problems or [_no_mapping(path, document.value)])
    problems = list(document.problems)
    overridden = []
    for override in overrides:
        try:
            overridden.append(apply_override(document.value, override))
        except RecipeError as error:
            problems += error.problems
    if limit is not None and limit < 1:
        problems.append(Problem("", str(limit), "a whole number from 1 up", file="--limit"))
    return RecipeSource(
        path, document.value, document.lines, tuple(overridden), tuple(problems), limit
    )


def _read_text(path: Path) -> str:
    """The file's text; RecipeError says why there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        advice = "`prefmill init` writes a recipe to start from"
        raise _unreadable(path, "no such file", advice) from error
    except IsADirectoryError as error:
        advice = "name the recipe's file inside it"
        raise _unreadable(path, "is a folder, not a recipe", advice) from error
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise _unreadable(path, f"holds {len(content)} bytes; a recipe has at most {_MAX_BYTES}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        seen = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise _unreadable(path, seen, "save the file as UTF-8", line) from error


def _unreadable(path: Path, seen: str, advice: str = "", line: int | None = None) -> RecipeError:
    return RecipeError([Problem("", seen, advice=advice, file=str(path), line=line)])


def _no_mapping(path: Path, value: object) -> Problem:
    seen = "the file is empty" if value is None else f"the file holds a {_kind(value)}"
    advice = "`prefmill init` writes a recipe to start from"
    allowed = "a mapping with `name`, `stages` and `export`"
    return Problem("", seen, allowed, advice, file=str(path))


def _kind(value: object) -> str:
    return "list" if isinstance(value, list) else "single value"
