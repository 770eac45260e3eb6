"""Renders chat templates as Transformers does, except that the date stands still.

The settings are those of `transformers/utils/chat_template_utils.py`: a sandbox that cannot change
what it is given, blocks trimmed, loop controls, `raise_exception`, `strftime_now`, JSON without
HTML escapes, and `{% generation %}`, which only marks text and is read through here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

TODAY = datetime(2024, 7, 26)
"""What `strftime_now` takes for today, as a row must not depend on the day it was made. It is the
date that Llama 3.1's template falls back to."""


class TemplateRefusal(Exception):
    """A template cannot be read, or does not accept the conversation; says why."""


def render_template(template: str, variables: Mapping[str, Any]) -> str:
    """The text that a template makes of its variables.

    Raises:
        TemplateRefusal: the template is not valid, or raised.
    """
    from jinja2 import TemplateError

    try:
        return _compiled(template).render(variables)
    # A template is a program: besides refusing, it can fail as any expression can.
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise TemplateRefusal(str(error)) from error


@lru_cache(maxsize=32)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012  # the base class declares a plain set

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = TODAY.strftime
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
