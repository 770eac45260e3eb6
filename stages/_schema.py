"""JSON Schema on data that nobody vouches for: no fetching, no pattern that can be made to hang."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from stages._patterns import compiled, found_in


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Why a schema cannot be used; None if it can."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        for key, value in _members(schema):
            if key == "patternProperties":
                return "`patternProperties` is not supported"
            if key in ("$ref", "$dynamicRef") and not str(value).startswith("#"):
                return f"`{key}` leads outside: {value}"
            if key == "pattern" and isinstance(value, str):
                compiled(value)
    except jsonschema.SchemaError as error:
        return str(error.message)
    except ValueError as error:
        return str(error)
    return None


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at every depth."""
    pending = [value]
    while pending:
        here = pending.pop()
        if isinstance(here, dict):
            yield from here.items()
            pending += here.values()
        elif isinstance(here, list):
            pending += here


def schema_fault(schema: dict[str, Any], value: Any) -> str | None:
    """What a schema finds wrong with a value first; None if nothing.

    Raises:
        RecursionError: schema and value lead too deep.
    """
    import referencing

    # An explicit registry: the default one would fetch references.
    validator = _validator()(schema, registry=referencing.Registry())
    error = next(validator.iter_errors(value), None)
    return None if error is None else f"{error.json_path}: {error.message[:200]}"


@lru_cache(maxsize=1)
def _validator() -> Any:
    import jsonschema

    return jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if validator.is_type(value, "string") and not found_in(pattern, value):
        yield jsonschema.ValidationError(f"{value[:100]!r} does not match {pattern!r}")
