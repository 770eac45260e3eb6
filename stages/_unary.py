"""Single answers marked desirable or not: their place in a dataset, and each of them once.

A row knows its place by itself. Only the answers of a prompt that came in several rows, as the
pairs of one prompt do, have to be spread anew once all of them are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import ROW_ID, Column
from schemas.ids import digest
from schemas.layouts import COMPLETION, LABEL, ORDER, ORDER_BITS, PROMPT, seen_text
from schemas.stage import Decision, PassContext
from schemas.types import BOOL, INT, STRING

if TYPE_CHECKING:
    import pyarrow as pa

_CIRCLE = 1 << ORDER_BITS


def place_of(parent: str, index: int, of: int) -> int:
    """Where answer `index` of the `of` answers of one prompt stands among all rows.

    They stand evenly around a circle, from a hashed start. So between two of them lies a row of
    every other prompt with at least as many answers.
    """
    start = int(digest("place", parent), 16) % _CIRCLE
    return (start + index * _CIRCLE // of) % _CIRCLE


@dataclass(frozen=True, slots=True)
class Mark:
    """What the second pass must know of a row.

    Attributes:
        prompt, seen: what a trainer would see, without and with the answer.
        place: on the circle.
    """

    prompt: str
    seen: str
    label: bool
    row_id: str
    place: int


_MARK = (
    Column("prompt", STRING, "digest of the prompt"),
    Column("seen", STRING, "digest of prompt and answer"),
    Column("label", BOOL, "as in the row"),
    ROW_ID,
    Column("place", INT, "on the circle"),
)
_FATE = Column("fate", STRING, "`kept`, or the code of a reject")
_PLACE = Column("place", INT, "on the circle, for a row that is kept")
_MESSAGES = {
    "label_conflict": "the same answer to this prompt is marked desirable and undesirable",
    "duplicate": "the same answer to this prompt stands in another row, with the same label",
}


def sketch(batch: Batch, config: Any, context: PassContext) -> pa.Table:
    """One mark per row."""
    marks = make_batch(_MARK, (asdict(_mark(row)) for row in batch.rows))
    return marks.table


def _mark(row: Row) -> Mark:
    return Mark(
        _digest(row[PROMPT.name]),
        _digest([*row[PROMPT.name], *row[COMPLETION.name]]),
        row[LABEL.name],
        row[ROW_ID.name],
        row[ORDER.name],
    )


def _digest(turns: Sequence[Row]) -> str:
    return digest(*(part for turn in turns for part in (turn["role"], seen_text(turn["content"]))))


def decide(sketches: pa.Table, config: Any, context: PassContext) -> Decision:
    """Find answers that occur more than once, and prompts whose answers stand too close."""
    marks = [Mark(**row) for row in sketches.to_pylist()]
    groups = _grouped(marks, lambda mark: mark.seen)
    agreed = [group for group in groups if len({mark.label for mark in group}) == 1]
    first = [min(group, key=lambda mark: mark.row_id) for group in agreed]
    fates = {mark.row_id: "duplicate" for group in agreed for mark in group}
    fates |= {mark.row_id: "kept" for mark in first}
    places = _places(first)
    rows = (
        {
            ROW_ID.name: mark.row_id,
            # Where labels conflict, no row is left to be the first.
            _FATE.name: fates.get(mark.row_id, "label_conflict"),
            _PLACE.name: places.get(mark.row_id, mark.place),
        }
        for mark in marks
    )
    return Decision(make_batch((ROW_ID, _FATE, _PLACE), rows).table)


def _grouped(marks: Iterable[Mark], key: Callable[[Mark], str]) -> list[list[Mark]]:
    groups: defaultdict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        groups[key(mark)].append(mark)
    return list(groups.values())


def _places(kept: Sequence[Mark]) -> dict[str, int]:
    """New places for the answers of prompts that came in several rows, each placed by itself."""
    places: dict[str, int] = {}
    for group in _grouped(kept, lambda mark: mark.prompt):
        around = sorted(mark.place for mark in group)
        gaps = [after - before for before, after in pairwise([*around, around[0] + _CIRCLE])]
        if min(gaps) < _CIRCLE // len(group):
            mixed = sorted(group, key=lambda mark: digest("mixed", mark.row_id))
            for index, mark in enumerate(mixed):
                places[mark.row_id] = place_of(mark.prompt, index, len(mixed))
    return places


def apply(batch: Batch, decision: pa.Table, config: Any) -> Batch:
    """Drop and move what was decided."""
    import pyarrow.compute as pc

    keep = pc.equal(decision.column(_FATE.name), "kept")
    at = batch.table.schema.get_field_index(ORDER.name)
    field = batch.table.schema.field(at)
    moved = batch.table.set_column(at, field, decision.column(_PLACE.name))
    gone = pc.invert(keep)
    dropped = batch.table.filter(gone).select([ROW_ID.name, COMPLETION.name]).to_pylist()
    fates = decision.column(_FATE.name).filter(gone).to_pylist()
    rejects = (_reject(row, fate) for row, fate in zip(dropped, fates, strict=True))
    return Batch(moved.filter(keep), tuple(rejects))


def _reject(row: Row, fate: str) -> Reject:
    return Reject(row[ROW_ID.name], fate, _MESSAGES[fate], row[COMPLETION.name][0]["content"])
