"""A diff in words for the terminal, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.compare.effects import DISTANCES
from pipeline.compare.structure import (
    CategoryShift,
    ConfigDiff,
    Diff,
    FigureChange,
    NumberShift,
    Spread,
)
from pipeline.tables import text_table

_LEAST = 0.05
"""Relative change below which a figure is not shown."""
_TOLD_ABOVE = frozenset(("mean", "median", "rows", "new_rows"))
_COUNTS = frozenset(
    (
        *("prompts", "games", "rows_in", "rows_out"),
        *("prompt", "sampled", "prompt_tokens", "sampled_tokens"),
    )
)
_FAINT = frozenset(("weight", "tau"))
"""Last parts of the names of figures that the text leaves to `--json`."""
_FIGURES = 10
_VALUES = 4
_SHOWN_CHARS = 60
_INDENT = "  "
_NOT_HAD = "–"
_SCALE = (
    "shift: how far apart the cumulative shares are, small from {:.2f}, medium from {:.2f}, large "
    "from {:.2f}"
).format(*DISTANCES)


def diff_json(diff: Diff) -> dict[str, Any]:
    """For `--json`: the dataclasses of `pipeline.compare.structure` as they are."""
    return asdict(diff)


def diff_text(diff: Diff) -> str:
    """For a terminal: what is wrong, then each config's rows and shifts, then figures."""
    lines = [f"old  {_side(diff, 'old')}", f"new  {_side(diff, 'new')}"]
    for config in diff.configs:
        lines += _torn(config)
    lines += [f"only the new one has the config `{name}`" for name in diff.configs_added]
    lines += [f"only the old one has the config `{name}`" for name in diff.configs_dropped]
    for config in diff.configs:
        lines += ["", *_config(config)]
    lines += _figures(diff.figures)
    return "\n".join(lines)


def _side(diff: Diff, which: str) -> str:
    side = getattr(diff, which)
    return f"{side.place} ({side.name}, release {side.release})"


def _torn(config: ConfigDiff) -> Iterator[str]:
    """Prompts that crossed from one split to another: what is trained on is tested with."""
    ids = f", e.g. of rows {', '.join(config.moved_ids)}"
    if config.prompts_moved:
        yield (
            f"ERROR: {config.name}: {config.prompts_moved:,} prompts are in another split than "
            f"before{ids}. A model trained on the one is tested on what it learnt."
        )
    if config.prompts_leaked:
        yield f"ERROR: {config.name}: {config.prompts_leaked:,} prompts are in two splits{ids}."


def _config(config: ConfigDiff) -> list[str]:
    lines = [
        f"{config.name.upper()}: {config.rows_old:,} rows before, {config.rows_new:,} now",
        f"{_INDENT}{config.added:,} added, {config.dropped:,} dropped, {config.changed:,} changed"
        f"{_listed(config.columns_changed)}, {config.same:,} as they were",
    ]
    if config.compared:
        ids = f", e.g. {', '.join(config.flipped_ids)}" if config.flipped else ""
        lines.append(
            f"{_INDENT}{config.flipped:,} labels flipped, of {config.compared:,} that both have"
            f"{ids}"
        )
    for verb, columns in (("new", config.columns_added), ("lost", config.columns_dropped)):
        if columns:
            lines.append(f"{_INDENT}{verb} columns: {', '.join(columns)}")
    return lines + [_INDENT + line for line in (*_numbers(config), *_categories(config))]


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {count:,}" for name, count in ordered)
    return f" ({told})" if told else ""


def _numbers(config: ConfigDiff) -> list[str]:
    moved = [shift for shift in config.numbers if _is_shift(shift)]
    rest = len(config.numbers) - len(moved)
    if not moved:
        return ["no length, score or other number has shifted to speak of"] if rest else []
    head = ("", "mean before", "now", "median before", "now", "d", "delta", "shift")
    rows = [
        (
            shift.name,
            *(_told(value) for value in _means(shift.old, shift.new)),
            _signed(shift.d),
            _signed(shift.delta),
            _shift(shift),
        )
        for shift in moved
    ]
    more = [f"{rest:,} other numbers have not shifted to speak of"] if rest else []
    return [*text_table(head, rows).split("\n"), *more, _SCALE]


def _shift(shift: NumberShift) -> str:
    if shift.distance is None:
        return f"{shift.old.n:,} rows have it before, {shift.new.n:,} now"
    return f"{shift.words} ({shift.distance:.2f})"


def _is_shift(shift: NumberShift | CategoryShift) -> bool:
    """Whether there is something to tell: a small shift at least, or a side without values."""
    if isinstance(shift, NumberShift) and shift.distance is None:
        return bool(shift.old.n) != bool(shift.new.n)
    return shift.words in ("small", "medium", "large")


def _means(old: Spread, new: Spread) -> tuple[float | None, ...]:
    return old.mean, new.mean, old.median, new.median


def _categories(config: ConfigDiff) -> Iterator[str]:
    for shift in filter(_is_shift, config.categories):
        sample = f" of a sample of {shift.n_old:,} and {shift.n_new:,} rows" * shift.sampled
        yield (
            f"{shift.name}{sample}: {shift.words} shift (V {_told(shift.v)}, the shares differ by "
            f"{shift.distance or 0:.1%} of the rows)"
        )
        for share in shift.shares[:_VALUES]:
            yield f"{_INDENT}{_plain(share.value)}: {share.old:.1%} before, {share.new:.1%} now"
        if shift.n_values > _VALUES:
            yield f"{_INDENT}and {shift.n_values - _VALUES:,} other values"


def _plain(text: str) -> str:
    """A value of the data on one line, without what a terminal would obey."""
    seen = "".join(char if char.isprintable() else " " for char in text)
    return seen if len(seen) <= _SHOWN_CHARS else seen[: _SHOWN_CHARS - 1] + "…"


def _figures(figures: Sequence[FigureChange]) -> list[str]:
    silent = _TOLD_ABOVE | _COUNTS | _FAINT
    shown = (figure for figure in figures if figure.name.rpartition(".")[2] not in silent)
    changed = sorted((f for f in shown if _change(f) >= _LEAST), key=_change, reverse=True)
    if not changed:
        return []
    rows = [(figure.name, _told(figure.old), _told(figure.new)) for figure in changed[:_FIGURES]]
    more = len(changed) - len(rows)
    end = [f"{_INDENT}and {more:,} others: --json has them"] if more > 0 else []
    table = text_table(("", "before", "now"), rows).split("\n")
    return ["", "OTHER FIGURES THAT CHANGED", *(_INDENT + line for line in table), *end]


def _change(figure: FigureChange) -> float:
    """How far a figure moved, relative to the larger of its values; 0 if a side has none."""
    if figure.old is None or figure.new is None or figure.old == figure.new:
        return 0.0
    return abs(figure.new - figure.old) / max(abs(figure.old), abs(figure.new))


def _told(value: float | None) -> str:
    return _NOT_HAD if value is None else f"{value:,.4g}"


def _signed(value: float | None) -> str:
    return _NOT_HAD if value is None else f"{value:+.2f}"
