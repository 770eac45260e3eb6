"""Successive elimination: which rows can still be among the best, seen from some of the targets.

Rows are compared with the targets in a seeded random order, a few more each round. A row whose
score is at most `mean + z * error` is left behind when that is below what the last wanted row
scores at least, its own `mean - z * error`. With n of N targets seen,

    error = sd * sqrt((1 - n / N) / n)

where sd is the standard deviation of what remains of a row's alignments once each target's mean
over the rows is taken off (what a target does to all rows alike moves no row past another), at
least the median of that over the rows. The rows that are never left behind see all targets, so
their scores are exact.

The sums are whole numbers, so that neither order nor parts change them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from schemas.columns import ROW_ID
from schemas.ids import digest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FIRST = 8
"""Targets of the first round."""
_GROWTH = 1.5
_WATCHED = 60
"""Targets from which a row's standard deviation is known well enough."""
TOTAL = "total"
"""The sketch's column of sums over the round's targets; null for a row that is out."""
WATCHED = "watched"
"""Its column of lists: the alignments with each of the watched targets; null likewise."""
_COARSE = 22
"""Bits that a target's mean goes without, so that the sum over all rows cannot overflow."""


def shuffled(targets: Sequence[bytes], seed: int, stage: str) -> list[bytes]:
    """The targets in a random order that goes by what they hold, wherever they stand."""
    return sorted(targets, key=lambda target: (digest("target", seed, stage, target.hex()), target))


def next_goal(seen: int, n_targets: int) -> int:
    """How many targets the rows have seen after the next round."""
    return min(max(FIRST, int(seen * _GROWTH)), n_targets)


def watched(seen: int, goal: int, n_targets: int) -> range:
    """The targets of a round whose alignments `decide` needs one by one."""
    return range(seen, goal) if goal <= _WATCHED and goal < n_targets else range(0)


@dataclass(slots=True)
class Field:
    """All rows after a round; arrays of shape (n,).

    Attributes:
        total: sum of the alignments seen, in units of 1 / `ncd.UNIT`.
        drift, squares: sum and sum of squares of what remains of the watched ones.
        seen: targets that the row was compared with.
        alive: whether the row is still in it.
        upper: what a row that is not could score at most, and `bar` what it had to reach.
        done: targets that the rows still in it have seen, the same for all rows.
        goal: those that they will have seen after the next round.
    """

    total: NDArray[np.int64]
    drift: NDArray[np.float64]
    squares: NDArray[np.float64]
    seen: NDArray[np.int64]
    alive: NDArray[np.bool_]
    upper: NDArray[np.float64]
    bar: NDArray[np.float64]
    done: NDArray[np.int64]
    goal: NDArray[np.int64]

    @property
    def span(self) -> tuple[int, int]:
        """`done` and `goal`; 0 and 0 without rows."""
        return (int(self.done[0]), int(self.goal[0])) if len(self.done) else (0, 0)

    def to_table(self, row_ids: pa.ChunkedArray) -> pa.Table:
        """One row each, with these row_ids."""
        import pyarrow as pa

        columns = {field.name: pa.array(getattr(self, field.name)) for field in fields(self)}
        return pa.table({ROW_ID.name: row_ids, **columns})


def after(before: pa.Table | None, n_rows: int, n_targets: int) -> Field:
    """The rows after the round that `to_table` was called in, or before the first."""
    if before is None:
        return _start(n_rows, n_targets)
    columns = {field.name: before.column(field.name).to_numpy() for field in fields(Field)}
    return Field(**{name: values.copy() for name, values in columns.items()})


def _start(n_rows: int, n_targets: int) -> Field:
    import numpy as np

    def whole(value: int) -> NDArray[np.int64]:
        return np.full(n_rows, value, np.int64)

    def real(value: float) -> NDArray[np.float64]:
        return np.full(n_rows, value, np.float64)

    alive = np.ones(n_rows, np.bool_)
    goal = whole(next_goal(0, n_targets))
    bounds = real(np.inf), real(-np.inf)
    return Field(whole(0), real(0), real(0), whole(0), alive, *bounds, whole(0), goal)


def add_round(field: Field, sketches: pa.Table, n_targets: int) -> None:
    """Take in what the rows still in it were given in a round."""
    done, goal = field.span
    field.total[field.alive] += sketches.column(TOTAL).drop_null().to_numpy()
    if width := len(watched(done, goal, n_targets)):
        _watch(field, sketches.column(WATCHED), width)
    field.seen[field.alive] = goal
    field.done[:] = goal


def _watch(field: Field, lists: pa.ChunkedArray, width: int) -> None:
    """Part by part, as the alignments of all rows may not fit into memory."""
    import numpy as np

    from stages.kernels.ncd import UNIT

    n_alive = int(field.alive.sum())
    sums = np.zeros(width, np.int64)
    for chunk in lists.chunks:
        sums += (_matrix(chunk, width) >> _COARSE).sum(axis=0)
    means = sums / (max(n_alive, 1) * (UNIT >> _COARSE))
    places = np.flatnonzero(field.alive)
    at = 0
    for chunk in lists.chunks:
        remains = _matrix(chunk, width) / UNIT - means
        rows = places[at : at + len(remains)]
        field.drift[rows] += remains.sum(axis=1)
        field.squares[rows] += (remains**2).sum(axis=1)
        at += len(remains)


def _matrix(lists: pa.ListArray, width: int) -> NDArray[np.int64]:
    matrix: NDArray[np.int64] = lists.flatten().to_numpy().reshape(-1, width)
    return matrix


def eliminate(field: Field, n_targets: int, wanted: int, least: float | None, z: float) -> None:
    """Leave behind the rows that cannot be among the `wanted` best, or reach `least`."""
    import numpy as np

    alive, (done, _) = field.alive, field.span
    if done == n_targets:
        return
    means, errors = means_of(field.total[alive], done), _errors(field, n_targets)
    bar = -np.inf if least is None else least
    if wanted < len(means):
        bar = max(bar, float(np.partition(means - z * errors, -wanted)[-wanted]))
    field.upper[alive], field.bar[alive] = means + z * errors, bar
    field.alive = alive & (field.upper >= field.bar)
    has_all = field.alive.sum() <= wanted and least is None
    field.goal[:] = n_targets if has_all else next_goal(done, n_targets)


def _errors(field: Field, n_targets: int) -> NDArray[np.float64]:
    """Standard error of the mean of each row that is still in it."""
    import numpy as np

    done, _ = field.span
    drift, squares = field.drift[field.alive], field.squares[field.alive]
    count = _watched_so_far(done, n_targets)
    variances = np.maximum(squares - drift**2 / count, 0.0) / (count - 1)
    if len(variances):
        variances = np.maximum(variances, np.median(variances))
    errors: NDArray[np.float64] = np.sqrt(variances * (1 - done / n_targets) / done)
    return errors


def _watched_so_far(done: int, n_targets: int) -> int:
    count, goal = 0, 0
    while goal < done:
        before, goal = goal, next_goal(goal, n_targets)
        count += len(watched(before, goal, n_targets))
    return count


def means_of(totals: NDArray[np.int64], counts: Any) -> NDArray[np.float64]:
    """Mean alignments from sums."""
    from stages.kernels.ncd import UNIT

    means: NDArray[np.float64] = totals / (counts * UNIT)
    return means
