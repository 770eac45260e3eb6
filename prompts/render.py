"""Our own prompt texts: `prompts/text/<name>.j2`, filled in strictly.

A value that is missing or that the text does not use is an error. Values are put in verbatim and
never rendered themselves, so nothing that a model wrote can act as a template.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from schemas.ids import digest

_SUFFIX = ".j2"


def render(name: str, **values: str) -> str:
    """Fill in the prompt text `name`.

    Raises:
        KeyError: there is no such text, or `values` are not exactly the names it uses.
    """
    template, wanted = _compiled(name)
    if wanted != values.keys():
        raise KeyError(
            f"prompt text `{name}` uses {sorted(wanted)}, but was given {sorted(values)}"
        )
    text: str = template.render(values)
    return text


def prompt_hash(name: str) -> str:
    """Identity of a prompt text; part of the key of every stage that uses it."""
    return digest("prompt", _source(name))


def prompt_names() -> list[str]:
    """All prompt texts."""
    entries = files("prompts").joinpath("text").iterdir()
    return sorted(e.name.removesuffix(_SUFFIX) for e in entries if e.name.endswith(_SUFFIX))


def _source(name: str) -> str:
    path = files("prompts").joinpath("text", name + _SUFFIX)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(prompt_names())
        raise KeyError(f"there is no prompt text `{name}`; known: {known}") from None


@lru_cache(maxsize=64)
def _compiled(name: str) -> tuple[Any, frozenset[str]]:
    """The compiled template and the names of the values it uses."""
    from jinja2 import StrictUndefined, meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = _source(name)
    wanted = meta.find_undeclared_variables(environment.parse(source))
    return environment.from_string(source), frozenset(wanted)
