"""What a record says of the answers to its prompt: gold answers, and constraints to keep."""

from __future__ import annotations

import json
import math
from typing import Any

from schemas.batch import Row
from stages._ifeval import read_constraint


def gold_answers(record: Row, name: str) -> list[str]:
    """The gold answers in a field: a text, a number, or a list of them.

    Raises:
        ValueError: the field holds something else, or nothing.
    """
    value = record.get(name)
    listed = value if isinstance(value, list) else [value]
    return [_answer(answer, name) for answer in listed]


def _answer(value: Any, name: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return str(value)
    raise ValueError(f"field `{name}` holds {value!r:.60} where a gold answer should be")


def constraints(record: Row, name: str, arguments_name: str | None) -> list[Row]:
    """The constraints in a field, as entries of the column `constraints`.

    A list of objects, each with its `kind` and settings; or, where `arguments_name` names a field
    beside it, a list of kinds here and a list of their settings there, as in IFEval's files.

    Raises:
        ValueError: the fields hold something else, or a constraint that is none.
    """
    given = record.get(name)
    if not isinstance(given, list):
        raise ValueError(f"field `{name}` holds no list of constraints")
    if arguments_name is None:
        return [_entry(_kind(one, name), _settings(one)) for one in given]
    settings = record.get(arguments_name)
    if not isinstance(settings, list) or len(settings) != len(given):
        raise ValueError(
            f"field `{arguments_name}` should list the settings of the {len(given)} constraints "
            f"in `{name}`, one object each"
        )
    return [_entry(kind, one) for kind, one in zip(given, settings, strict=True)]


def _kind(constraint: Any, name: str) -> Any:
    if isinstance(constraint, dict) and "kind" in constraint:
        return constraint["kind"]
    raise ValueError(
        f"field `{name}` holds {constraint!r:.60} where an object with `kind` should be"
    )


def _settings(constraint: Row) -> Row:
    return {key: value for key, value in constraint.items() if key != "kind"}


def _entry(kind: Any, settings: Any) -> Row:
    if not isinstance(kind, str) or not isinstance(settings, dict | type(None)):
        raise ValueError(f"{kind!r:.60} with {settings!r:.60} is no constraint and its settings")
    settings = settings or {}
    read_constraint(kind, settings)
    return {"kind": kind, "arguments": json.dumps(settings, ensure_ascii=False, sort_keys=True)}
