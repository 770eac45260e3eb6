"""What is told of two datasets: everything that a diff says, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Words = Literal["none", "chance", "negligible", "small", "medium", "large"]
"""How large a shift is: `none` is no shift at all, `chance` what chance alone would do to so few
rows one time in twenty, the others as `pipeline.compare.effects` has them."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two datasets: where it lies, the recipe's name, which release it is."""

    place: str
    name: str
    release: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How a number is spread over rows; all but `n` are None where no row has it."""

    n: int
    mean: float | None
    median: float | None
    deviation: float | None


@dataclass(frozen=True, slots=True)
class NumberShift:
    """How a number moved from the old rows to the new ones.

    Attributes:
        name: a column, or `<column> characters`.
        old, new: all rows of a side that have it.
        d: Cohen's, the difference of the means in pooled standard deviations; None if nothing
            varies or a side has no value.
        delta: Cliff's, P(a new value is larger) - P(it is smaller), -1 to 1; None likewise.
        distance: Kolmogorov and Smirnov's, the greatest gap between the cumulative shares, 0 to 1.
        words: how large `distance` is; None if it cannot be had.
    """

    name: str
    old: Spread
    new: Spread
    d: float | None
    delta: float | None
    distance: float | None
    words: Words | None


@dataclass(frozen=True, slots=True)
class CategoryShare:
    """What share of the rows of either side has a value; 0 if it has it nowhere."""

    value: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class CategoryShift:
    """How the shares of a column's values moved.

    Attributes:
        name: a column, or `language`.
        n_old, n_new: rows that were counted.
        shares: the values whose shares moved most, at most 10, the greatest move first.
        n_values: how many values there are in all.
        distance: total variation, half the sum of the moves of all values, 0 to 1; None if a side
            has no row.
        v: Cramer's V of side and value, 0 to 1; None likewise.
        words: how large `v` is; None if it cannot be had.
        sampled: whether a sample was counted instead of all rows.
    """

    name: str
    n_old: int
    n_new: int
    shares: tuple[CategoryShare, ...]
    n_values: int
    distance: float | None
    v: float | None
    words: Words | None
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of the manifests, side by side; None where a side does not have it."""

    name: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """What became of one dataset config.

    Attributes:
        name: as the recipe has it.
        rows_old, rows_new: rows of either side.
        added, dropped: rows whose row_id only the new, only the old side has.
        changed: rows that both have, and that differ in some column of both.
        columns_changed: by column, in how many rows.
        columns_added, columns_dropped: columns that only one side has.
        compared: pairs, or labelled answers, that both sides have by their texts; None in a config
            without labels.
        flipped: those of them whose label is the opposite.
        flipped_ids: row_ids of the new side of some of them.
        prompts_moved: prompts that are in another split than before.
        prompts_leaked: prompts that are in two splits of the new side.
        moved_ids: row_ids of the new side of some of them.
        numbers, categories: shifts, the greatest first.
    """

    name: str
    rows_old: int
    rows_new: int
    added: int
    dropped: int
    changed: int
    columns_changed: dict[str, int] = field(default_factory=dict)
    columns_added: tuple[str, ...] = ()
    columns_dropped: tuple[str, ...] = ()
    compared: int | None = None
    flipped: int = 0
    flipped_ids: tuple[str, ...] = ()
    prompts_moved: int = 0
    prompts_leaked: int = 0
    moved_ids: tuple[str, ...] = ()
    numbers: tuple[NumberShift, ...] = ()
    categories: tuple[CategoryShift, ...] = ()

    @property
    def same(self) -> int:
        """Rows that are as they were."""
        return self.rows_new - self.added - self.changed


@dataclass(frozen=True, slots=True)
class Diff:
    """Two datasets side by side.

    Attributes:
        configs: those that both have.
        configs_added, configs_dropped: those that only one has.
        figures: of both manifests, by name.
    """

    old: Side
    new: Side
    configs: tuple[ConfigDiff, ...]
    configs_added: tuple[str, ...] = ()
    configs_dropped: tuple[str, ...] = ()
    figures: tuple[FigureChange, ...] = ()
