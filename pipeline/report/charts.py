"""Charts: a drawing, what it shows in words, and its numbers in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from pipeline.report.drawing import (
    Bars,
    Series,
    Spec,
    bars_spec,
    histogram_spec,
    series_of,
    svg,
)
from pipeline.report.html import details, number, table
from pipeline.report.text import label


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and the same in words and in numbers.

    Attributes:
        alternative: what it shows, for those who do not see it.
        head, rows: its numbers, in plain text.
    """

    title: str
    spec: Spec
    alternative: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def histogram(
    title: str, unit: str, edges: Sequence[float], series: Series, note: str = ""
) -> Chart:
    """How often values lie where: one line for each of at most two series.

    Args:
        title: of what.
        unit: of the values, for the axis.
        edges: of the bins, one more than there are.
        series: counts by name.
        note: what else is to be known of it.
    """
    rows = [
        (f"{number(low)} to {number(high)}", *(number(counts[i]) for counts in series.values()))
        for i, (low, high) in enumerate(pairwise(edges))
    ]
    spec = histogram_spec(unit, edges, series)
    return Chart(title, spec, _peaks(unit, edges, series), (unit, *series), rows, note)


def bars(title: str, unit: str, values: Bars, note: str = "") -> Chart:
    """Lying bars, one above the other in their order, at most three series of each end to end.

    Args:
        title: of what.
        unit: of the values, for the axis.
        values: by bar, by series.
        note: what else is to be known of it.
    """
    names = series_of(values)
    rows = [
        (label(bar), *(number(parts.get(name, 0)) for name in names))
        for bar, parts in values.items()
    ]
    lengths = {bar: sum(parts.values()) for bar, parts in values.items()}
    longest = max(lengths, key=lambda bar: lengths[bar])
    told = (
        f"{len(values)} bars; the longest is {label(longest)} with {number(lengths[longest])} "
        f"{unit}."
    )
    return Chart(title, bars_spec(unit, values), told, ("", *names), rows, note)


def figure(chart: Chart) -> str:
    """The chart as HTML, with its numbers folded up below."""
    title = label(chart.title)
    cells = [[escape(cell) for cell in row] for row in chart.rows]
    numbers = details("Numbers", table(chart.head, cells, title, "numbers"))
    note = f"<small>{escape(chart.note)}</small>" if chart.note else ""
    caption = f"<figcaption>{escape(title)}{_key(chart.head[1:])}{note}</figcaption>"
    drawing = svg(chart.spec, f"{title}. {chart.alternative}")
    return f"<figure>{caption}{drawing}{numbers}</figure>"


def _key(names: Sequence[str]) -> str:
    """Which colour is which series; nothing if there is one."""
    if len(names) < 2:
        return ""
    kinds = zip(names, ("fill", "against", "soft"), strict=False)
    return "".join(f'<span class="key {kind}">{escape(name)}</span>' for name, kind in kinds)


def _peaks(unit: str, edges: Sequence[float], series: Series) -> str:
    said = []
    for name, counts in series.items():
        top = max(range(len(counts)), key=lambda i: counts[i])
        where = f"{number(edges[top])} to {number(edges[top + 1])}"
        said.append(f"{name}: most rows, {number(counts[top])}, at {where}")
    span = f"{number(edges[0])} to {number(edges[-1])}"
    return f"Histogram of {unit} from {span}. {'; '.join(said)}."
