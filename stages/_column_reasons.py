"""Why a condition does not hold of a row, in words: the part that fails, with its values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages._column_expression import COMPARISONS, Expression, Node
from stages._column_values import value_of

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 60


def why_not(
    expression: Expression, columns: Mapping[str, pa.Array], places: Sequence[int]
) -> dict[int, str]:
    """For each of these rows, of which the condition is not true: what is to be said.

    Of parts that are joined by `and` the first false one is named; if none is false, the first
    that is unknown.
    """
    import pyarrow as pa

    there = pa.array(places, type=pa.int64())
    few = {name: column.take(there) for name, column in columns.items()}
    parts = list(_joined_by_and(expression.tree))
    truths = [_listed(value_of(part, few), len(there)) for part in parts]
    shown = [_shown_values(expression, part, few, len(there)) for part in parts]
    found = {}
    for row, place in enumerate(places):
        values = [truth[row] for truth in truths]
        part = values.index(False) if False in values else values.index(None)
        state = "false" if False in values else "unknown"
        seen = ", ".join(f"{name} = {_shown(column[row])}" for name, column in shown[part].items())
        found[place] = f"`{expression.source(parts[part])}` is {state}" + (seen and f": {seen}")
    return found


def seen_values(columns: Mapping[str, pa.Array], place: int) -> str:
    """The columns of one row with their values."""
    return ", ".join(
        f"{name} = {_shown(column[place].as_py())}" for name, column in columns.items()
    )


def _joined_by_and(node: Node) -> Iterator[Node]:
    if node.kind != "and":
        yield node
        return
    for part in node.parts:
        yield from _joined_by_and(part)


def _shown_values(
    expression: Expression, part: Node, columns: Mapping[str, pa.Array], n_rows: int
) -> dict[str, list[Any]]:
    """What to show of a part: the two sides of a comparison, else the columns that it names."""
    compared = part.parts if part.kind in (*COMPARISONS, "in") else ()
    nodes = [side for side in compared if any(node.kind == "name" for node in side)]
    nodes = nodes or [node for node in part if node.kind == "name"]
    return {expression.source(node): _listed(value_of(node, columns), n_rows) for node in nodes}


def _listed(value: Any, n_rows: int) -> list[Any]:
    import pyarrow as pa

    return [value.as_py()] * n_rows if isinstance(value, pa.Scalar) else value.to_pylist()


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
