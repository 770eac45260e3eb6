"""What changed since the last release: rows, labels and how values are spread."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.compare.structure import CategoryShift, ConfigDiff, Diff, FigureChange, NumberShift
from pipeline.report.html import Part, details, number, section, share, table
from pipeline.report.text import name

_KEY, _TITLE = "changes", "What changed since the last release"
_MEANING = (
    "Rows are matched by `row_id`, pairs by their texts. Of a shift, `distance` says how far the "
    "rows before and now are apart, from 0 to 1: for numbers the greatest gap between the shares "
    "below a value, for categories half the sum of what the shares moved."
)
_NOTICED = ("small", "medium", "large")


def changes_part(diff: Diff) -> Part:
    """Each config that both have, then the configs that one has, then figures that differ."""
    old, new = diff.old, diff.new
    sides = (
        f"<p>{name(old.name)}, release {old.release}, against {name(new.name)}, "
        f"release {new.release}.</p>"
    )
    only = [
        f"<p>Config {name(config)} {what}.</p>"
        for what, configs in (("is new", diff.configs_added), ("is gone", diff.configs_dropped))
        for config in configs
    ]
    configs = [_config(config) for config in diff.configs]
    return section(_KEY, _TITLE, _MEANING, sides, *configs, *only, _figures(diff.figures))


def _config(config: ConfigDiff) -> str:
    counts = [
        ("rows", f"{number(config.rows_old)} → {number(config.rows_new)}"),
        ("added", number(config.added)),
        ("dropped", number(config.dropped)),
        ("changed", number(config.changed)),
        ("as they were", number(config.same)),
    ]
    if config.compared is not None:
        flipped = f"{number(config.flipped)} ({share(config.flipped, config.compared)})"
        counts.append(
            (f"labels turned round, of {number(config.compared)} that both have", flipped)
        )
    if config.prompts_moved or config.prompts_leaked:
        counts.append(("prompts that are in another split", number(config.prompts_moved)))
        counts.append(("prompts that are in two splits", number(config.prompts_leaked)))
    told = table(("", "rows"), counts, f"Changes of {config.name}", "narrow")
    return f"<h3>{name(config.name)}</h3>{told}{_shifts(config)}"


def _shifts(config: ConfigDiff) -> str:
    """What has moved by more than a trifle in sight, all the rest folded up."""
    rows = [
        *((shift.words, _number_row(shift)) for shift in config.numbers),
        *((shift.words, _category_row(shift)) for shift in config.categories),
    ]
    head = ("what", "before", "now", "distance", "that is")
    seen = [row for words, row in rows if words in _NOTICED]
    rest = [row for words, row in rows if words not in _NOTICED]
    shown = table(head, seen, "Shifts", "numbers") if seen else "<p>No value has shifted.</p>"
    return shown + (details("What stayed", table(head, rest, "Others", "numbers")) if rest else "")


def _number_row(shift: NumberShift) -> tuple[str, ...]:
    means = (f"mean {number(spread.mean)}" for spread in (shift.old, shift.new))
    return (name(shift.name), *means, number(shift.distance, 3), shift.words or "–")


def _category_row(shift: CategoryShift) -> tuple[str, ...]:
    most = shift.shares[:2]
    before, now = (
        ", ".join(f"{name(one.value)} {share(getattr(one, side), 1)}" for one in most)
        for side in ("old", "new")
    )
    return (name(shift.name), before, now, number(shift.distance, 3), shift.words or "–")


def _figures(changes: tuple[FigureChange, ...]) -> str:
    rows = list(_changed(changes))
    if not rows:
        return ""
    head = ("figure", "before", "now")
    return details("Figures that differ", table(head, rows, "Figures that differ", "numbers"))


def _changed(changes: tuple[FigureChange, ...]) -> Iterator[tuple[str, str, str]]:
    for one in changes:
        if one.old != one.new:
            yield name(one.name), number(one.old), number(one.new)
