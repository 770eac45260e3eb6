"""What rows somebody asks for, and how that reads in SQL. Values are bound, never put into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from schemas.errors import InputError

ORDERS = {
    "": "place",
    "margin": "margin NULLS LAST, place",
    "-margin": "margin DESC NULLS LAST, place",
    "score": "score NULLS LAST, place",
    "-score": "score DESC NULLS LAST, place",
    "shuffled": "hash(row_id, {seed}), place",
}
"""What rows are sorted by, the place last, so that no two are alike."""
MARKS = ("", "todo", "done")
MOST_TEXT = 1000
MOST_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows, and in what order.

    Attributes:
        text: in the prompt or an answer, upper and lower case alike.
        min_margin, max_margin, min_score, max_score: inclusive; a row without the value then does
            not fit.
        order: one of `ORDERS`.
        marks: all rows, those not marked yet, or those that are.
    """

    text: str = ""
    config: str = ""
    split: str = ""
    source: str = ""
    min_margin: float | None = None
    max_margin: float | None = None
    min_score: float | None = None
    max_score: float | None = None
    order: str = ""
    marks: str = ""

    @property
    def settled(self) -> Query:
        """The same without what is looked up elsewhere than in the index."""
        return replace(self, text="", marks="")

    def sql(self) -> tuple[str, list[Any]]:
        """SQL for the places of the rows that fit, in any order, and the values bound in it."""
        conditions, values = [], []
        for name in ("config", "split", "source"):
            if value := getattr(self, name):
                conditions.append(f"{name} = ?")
                values.append(value)
        for name in ("margin", "score"):
            for bound, sign in (("min", ">="), ("max", "<=")):
                if (value := getattr(self, f"{bound}_{name}")) is not None:
                    conditions.append(f"{name} {sign} ?")
                    values.append(value)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT place FROM rows{where}", values


def query_of(asked: Mapping[str, str]) -> Query:
    """The query that the parameters of an address ask for; others are passed over.

    Raises:
        InputError: a value that is none.
    """
    given: dict[str, Any] = {}
    for field in fields(Query):
        name = _camel(field.name)
        if not (text := asked.get(name, "")):
            continue
        given[field.name] = _number(name, text) if "_" in field.name else text
    query = Query(**given)
    _refuse("order", query.order, tuple(ORDERS))
    _refuse("marks", query.marks, MARKS)
    if len(query.text) > MOST_TEXT:
        raise InputError(f"text: has {len(query.text):,} characters, more than {MOST_TEXT:,}")
    return query


def whole_number(asked: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A parameter that counts.

    Raises:
        InputError: it is no whole number from 0 to `most`.
    """
    text = asked.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) > most:
        raise InputError(f"{name}: {text[:40]!r} is not a whole number from 0 to {most:,}")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value:
        raise InputError(f"{name}: {text[:40]!r} is not a number")
    return value


def _refuse(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        known = ", ".join(repr(one) for one in allowed)
        raise InputError(f"{name}: {value[:40]!r} is none of {known}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
