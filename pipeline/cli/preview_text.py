"""The journeys of a preview, printed: a row at a time, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.cli.row_text import Letters, folded, short, value_lines

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.runtime.preview import Change, Journey, Preview, Stop

_NARROWEST, _WIDEST = 60, 110
_LABEL = 14
_INDENT = "    "
_LINES = 3
_BRIEF = 24
"""Names up to this long share a line."""
_TURNED_AWAY = "turned away"

Line = tuple[str, str]
"""A label and what stands beside it."""


def show_preview(found: Preview, full: bool) -> None:
    """Print the journeys, then the steps in numbers.

    Args:
        full: fold nothing.
    """
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    width = min(max(console.width, _NARROWEST), _WIDEST)
    rows = {journey.row_id: str(n) for n, journey in enumerate(found.journeys, 1)}
    for number, journey in enumerate(found.journeys, 1):
        name = f"row {number} of {len(found.journeys)}"
        _show_journey(console, journey, name, width, None if full else _LINES, rows)
    if found.waiting:
        console.print(f"not reached: {', '.join(found.waiting)}\n", style="yellow")
    for line in _sums(found):
        console.print(line)


def _show_journey(
    console: Console,
    journey: Journey,
    name: str,
    width: int,
    lines: int | None,
    rows: Mapping[str, str],
) -> None:
    from rich.text import Text

    ended = _ended(journey)
    rule = "─" * max(width - len(name) - len(ended) - 2, 3)
    style = "red" if journey.lost_at else "green"
    console.print(Text.assemble((name, "bold"), " ", (rule, "dim"), " ", (ended, style)))
    letters = Letters()
    for stop in journey.stops:
        console.print(Text.assemble(("  " + stop.step, "bold cyan"), (_headline(stop), "dim")))
        for label, line in _stop_lines(stop, width, lines, letters, rows):
            style = "red" if label == _TURNED_AWAY else "magenta"
            console.print(Text.assemble(_INDENT, (label.ljust(_LABEL), style), line))
    console.print()


def _ended(journey: Journey) -> str:
    if journey.lost_at:
        return f"lost at {journey.lost_at}"
    last = journey.stops[-1]
    return "exported" if last.is_export else f"came to {last.step}"


def _headline(stop: Stop) -> str:
    """What the step did to the row, in a word where that is all."""
    if len(stop.rows) > 1:
        return f"  {len(stop.rows)} rows of it"
    if stop.rows and not (stop.rows[0].added or stop.rows[0].changed or stop.rejects):
        return "  as it was"
    return ""


def _stop_lines(
    stop: Stop, width: int, lines: int | None, letters: Letters, rows: Mapping[str, str]
) -> Iterator[Line]:
    """What a step added, changed, dropped and turned away; `rows` are names of source rows."""
    room = width - len(_INDENT) - _LABEL
    for number, row in enumerate(stop.rows, 1):
        if len(stop.rows) > 1:
            yield f"row {number}", ""
        yield from _row_lines(row, room, lines, letters)
        if row.dropped and not stop.is_export:  # an export has columns of its own
            yield from _labelled("no longer", folded(", ".join(row.dropped), room, None))
    for reject in stop.rejects:
        yield from _labelled(_TURNED_AWAY, _reject_lines(reject, room, letters, rows))


def _reject_lines(
    reject: Mapping[str, Any], room: int, letters: Letters, rows: Mapping[str, str]
) -> list[str]:
    """Why, and the beginning of what it was about."""
    which = f"{letters[reject['response_id']]}: " if reject.get("response_id") else ""
    message = reject["message"]
    for row_id, number in rows.items():
        message = message.replace(row_id, number)
    told = folded(f"{which}{reject['code']}: {message}", room, None)
    raw = " ".join((reject.get("raw") or "").split())
    return told + ([f"  {line}" for line in folded(raw, room - 2, 1)] if raw else [])


def _row_lines(row: Change, room: int, lines: int | None, letters: Letters) -> Iterator[Line]:
    brief: list[str] = []
    for name, value in row.added.items():
        if value in (None, []) or name.endswith("_id"):
            continue
        if _is_brief(value):
            brief.append(f"{name} {short(value)}")
        else:
            yield from _labelled(name, value_lines(name, value, room, lines, letters))
    for name, (before, after) in row.changed.items():
        changed = _changed_lines(name, before, after, room, lines, letters)
        yield from _labelled(name, changed)
    if brief:
        yield from _labelled("", _packed(brief, room))


def _is_brief(value: Any) -> bool:
    """A number, or a name; a text, however short, has a line of its own."""
    if isinstance(value, str):
        return len(value) <= _BRIEF and not any(map(str.isspace, value.replace(": ", ":")))
    return isinstance(value, bool | int | float)


def _packed(facts: Sequence[str], room: int) -> list[str]:
    """Facts side by side, none of them cut in two."""
    packed: list[str] = []
    for fact in facts:
        line = folded(fact, room, 1)[0]
        if packed and len(packed[-1]) + 3 + len(line) <= room:
            packed[-1] += f"   {line}"
        else:
            packed.append(line)
    return packed


def _changed_lines(
    name: str, before: Any, after: Any, room: int, lines: int | None, letters: Letters
) -> list[str]:
    """What is new in a list, or how much of it was kept; else the value as it is now."""
    if not isinstance(before, list) or not isinstance(after, list):
        return value_lines(name, after, room, lines, letters)
    new = [entry for entry in after if entry not in before]
    kept = len(after) - len(new)
    told = [f"{kept} of {len(before)} kept"] if kept < len(before) else []
    return told + (value_lines(name, new, room, lines, letters) if new else [])


def _labelled(label: str, lines: Sequence[str]) -> Iterator[Line]:
    """The label beside the first line; above it, if it is too long for its place."""
    if len(label) >= _LABEL:
        yield label, ""
        label = ""
    for line in lines:
        yield label, line
        label = ""


def _sums(found: Preview) -> list[str]:
    from pipeline.runtime.summary import align

    rows = [
        (
            each.step,
            f"{each.rows_in:,}",
            f"{each.rows_out:,}",
            ", ".join(f"{code} {count}" for code, count in each.rejects.items()) or "-",
        )
        for each in found.steps
    ]
    return align(("step", "in", "out", "rejected"), rows) if rows else []
