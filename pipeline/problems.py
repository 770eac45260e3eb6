"""pydantic's complaints as Problems that a recipe's author can act on."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.nearest import did_you_mean
from pipeline.recipe_io import RecipeSource
from pipeline.yaml_io import KeyPath
from schemas.errors import Problem

M = TypeVar("M", bound=BaseModel)

_SHOWN_CHARS = 60


def validate(
    model: type[M],
    value: object,
    source: RecipeSource,
    path: KeyPath,
    hidden: frozenset[str] = frozenset(),
) -> tuple[M | None, list[Problem]]:
    """Build `model` from what stands at `path`, or say everything that is wrong with it.

    Validation is that of JSON, strict: a list becomes a tuple, and nothing else is converted.
    `hidden` are fields that are not the author's to set.
    """
    try:
        return model.model_validate_json(json.dumps(value)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [_problem(detail, model, source, path, hidden) for detail in details]


def _problem(
    detail: ErrorDetails,
    model: type[BaseModel],
    source: RecipeSource,
    path: KeyPath,
    hidden: frozenset[str],
) -> Problem:
    loc = detail["loc"]
    place = (*path, *loc)
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        valid = [name for name in _fields_at(model, loc[:-1]) if name not in hidden]
        advice = did_you_mean(str(loc[-1]), valid)
        return source.problem(place, f"unknown key `{loc[-1]}`", ", ".join(valid), advice)
    if kind == "missing":
        return source.problem(place, "missing", advice=f"add the key `{loc[-1]}`")
    if kind == "value_error":
        return source.problem(place, str(context.get("error", detail["msg"])))
    seen, allowed = shown(detail["input"]), detail["msg"].removeprefix("Input should be ")
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "")
        choices = allowed.replace(" or ", ", ").split(", ")
        return source.problem(place, seen, allowed, did_you_mean(str(detail["input"]), choices))
    return source.problem(place, seen, allowed, _hint(kind, detail["input"]))


def _hint(kind: str, value: object) -> str:
    if kind == "bool_type" and str(value).lower() in ("yes", "no", "on", "off"):
        return "write true or false; as in YAML 1.2, yes, no, on and off are text"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return "write the number without quotes"
    if kind == "string_type" and isinstance(value, (int, float)):
        return "put it in quotes"
    return ""


def shown(value: object) -> str:
    """A value as YAML would write it on one line, with its kind where that is the point."""
    if isinstance(value, str):
        return f"{_clipped(json.dumps(value, ensure_ascii=False))} (text)"
    if value is None:
        return "nothing (null)"
    kind = " (a mapping)" if isinstance(value, dict) else ""
    kind = " (a list)" if isinstance(value, list) else kind
    return _clipped(json.dumps(value, ensure_ascii=False)) + kind


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _fields_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Names of the fields of the model that `loc` leads to inside `model`."""
    here: Any = model
    for step in loc:
        fields = here.model_fields if _is_model(here) else {}
        here = _model_in(fields[step].annotation) if step in fields else here
    return list(here.model_fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _model_in(kind: Any) -> Any:
    """The first model inside an annotation such as `dict[str, Model]` or `Model | None`."""
    if _is_model(kind) or (get_origin(kind) is None and not isinstance(kind, types.UnionType)):
        return kind
    return next((found for arg in get_args(kind) if _is_model(found := _model_in(arg))), kind)
