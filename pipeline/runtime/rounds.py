"""How far the dataset pass of a step came, as its folder shows.

A dataset pass goes in rounds, mostly one: sketches of all parts, then a decision. Both say of what
part they were made, by its checksum: one that was made anew since, with perhaps other rows, makes
its sketch worthless, and with it the decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.folders import read_folder_json, write_folder_json
from pipeline.runtime.moves import Round
from pipeline.runtime.store import StepFolder
from schemas.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = "decision.json"
_OF = b"of"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one round came to; its rows are in the folder.

    Attributes:
        turn: the round, from 0.
        again: one more is to come.
        figures, notes: see `schemas.stage.Decision`.
    """

    turn: int
    again: bool
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """What an earlier run left of a dataset pass.

    Attributes:
        decided: the last round, if any.
        sketched: parts whose sketch of the next round is there.
    """

    decided: Verdict | None = None
    sketched: frozenset[int] = frozenset()

    @property
    def stage(self) -> Round:
        """How far it came, as the state machine says it."""
        if self.decided is None:
            return ""
        return "again" if self.decided.again else "final"


def marked(rows: pa.Table, of: str) -> pa.Table:
    """Rows that say of what part they were made."""
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), _OF: of.encode()})


def mark_of(rows: pa.Table) -> str:
    """Of what part rows say that they were made."""
    return str((rows.schema.metadata or {}).get(_OF, b"").decode())


def record(folder: StepFolder, verdict: Verdict) -> None:
    """Declare a round decided, its rows being in place; delete what it was decided on."""
    value = {
        "key": folder.key,
        "turn": verdict.turn,
        "again": verdict.again,
        "figures": dict(verdict.figures),
        "notes": list(verdict.notes),
    }
    write_folder_json(folder.folder, _FILE, value)
    folder.sketches(verdict.turn).folder.clear()
    if verdict.turn:
        folder.decisions(verdict.turn - 1).folder.clear()


def find_pass(folder: StepFolder, rows: StepFolder, parts: int) -> Pass:
    """What is there and still holds.

    Args:
        folder: of the step.
        rows: where the rows are that its pass is over.
        parts: how many parts it has.
    """
    if not any(name.startswith(("sketches-", "decisions-")) for name in folder.folder.names()):
        return Pass()
    sums = [rows.checksum(part) for part in range(parts)]
    decided = _decided(folder, sums)
    turn = decided.turn + 1 if decided else 0
    sketches = folder.sketches(turn)
    sketched = frozenset(part for part in range(parts) if _holds(sketches, part, sums[part]))
    return Pass(decided, sketched)


def forget(folder: StepFolder, found: Pass) -> None:
    """Before there is a decision: delete one that no longer holds, and what it was applied to."""
    if found.decided is None:
        folder.folder.delete([_FILE])
    for part in folder.parts_there():
        folder.discard(part)


def recorded(folder: StepFolder) -> Verdict | None:
    """The last round that was declared decided."""
    value = read_folder_json(folder.folder, _FILE)
    if value is None or value.pop("key", None) != folder.key:
        return None
    return Verdict(**value)


def _decided(folder: StepFolder, sums: Sequence[str | None]) -> Verdict | None:
    verdict = recorded(folder)
    if verdict is None:
        return None
    rows = folder.decisions(verdict.turn)
    return verdict if all(_holds(rows, *pair) for pair in enumerate(sums)) else None


def _holds(folder: StepFolder, part: int, of: str | None) -> bool:
    try:
        return of is not None and mark_of(folder.read_rows(part)) == of
    except (FileNotFoundError, InputError):  # missing, or damaged
        return False
