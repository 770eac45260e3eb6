"""Charts by Vega-Lite, drawn while the report is written: SVG in the page, no script.

Colours are the page's own: the drawing is made in colours that nobody uses, and each is then
replaced by the CSS variable it stands for, so that one drawing fits day, night and paper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import pairwise
from typing import Any

from pipeline.report.html import details, number, table
from pipeline.report.text import fitted, label

WIDTH = 340
"""In pixels, of every chart with all that belongs to it: readable on the narrowest screen."""
_FILL, _AGAINST, _INK, _SOFT, _LINE, _TRACK = (f"#01010{n}" for n in range(1, 7))
_VARIABLES = {
    _FILL: "fill",
    _AGAINST: "against",
    _INK: "ink",
    _SOFT: "soft",
    _LINE: "line",
    _TRACK: "track",
}
_BAR = 22
_NAMES, _NAMES_ROOM = 17, 122
"""Left of lying bars, for their names: columns of letters, and the pixels that wide fonts take."""
_THOUSANDS = 10_000
"""From here on axes count in thousands."""
_ROOM = 1.32
"""What the longest bar leaves free for its number."""
_FONT = "system-ui, sans-serif"
_THEME: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "padding": 2,
    "aria": False,
    "axis": {
        "labelColor": _SOFT,
        "titleColor": _SOFT,
        "gridColor": _LINE,
        "domainColor": _LINE,
        "tickColor": _LINE,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 6,
    },
}
Series = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and the same in words and in numbers.

    Attributes:
        alternative: what it shows, for those who do not see it.
        head, rows: its numbers, in plain text.
    """

    title: str
    spec: Mapping[str, Any]
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
    """
    values = [
        {"x": x, "n": count, "series": name}
        for name, counts in series.items()
        for x, count in zip(edges, [*counts, counts[-1]], strict=True)
    ]
    names = list(series)
    x_axis = {"grid": False, "tickCount": 5, "format": _format(max(map(abs, edges)))}
    y_axis = {"tickCount": 4, "domain": False, "tickMinStep": 1}
    number_of = {"type": "quantitative"}
    encoding = {
        "x": {**number_of, "field": "x", "title": unit, "scale": {"nice": False}, "axis": x_axis},
        "y": {**number_of, "field": "n", "title": "rows", "stack": None, "axis": y_axis},
        "color": _colour("series", names),
    }
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.75}
    area = {"type": "area", "interpolate": "step-after", "opacity": 0.16}
    dash = {
        "field": "series",
        "scale": {"domain": names, "range": [[1, 0], [4, 3]]},
        "legend": None,
    }
    layers = [
        {"mark": area, "encoding": encoding},
        {"mark": line, "encoding": {**encoding, "strokeDash": dash}},
    ]
    spec = {"height": 170, "data": {"values": values}, "layer": layers}
    rows = [
        (f"{number(low)} to {number(high)}", *(number(counts[i]) for counts in series.values()))
        for i, (low, high) in enumerate(pairwise(edges))
    ]
    return Chart(title, spec, _peaks(unit, edges, series), (unit, *names), rows, note)


def bars(title: str, unit: str, values: Mapping[str, Mapping[str, float]], note: str = "") -> Chart:
    """Lying bars, one above the other in their order, with the series of each end to end.

    Args:
        title: of what.
        unit: of the values, for the axis.
        values: by bar, by series.
    """
    names = list(dict.fromkeys(name for parts in values.values() for name in parts))
    shown = {bar: fitted(bar, _NAMES) for bar in values}
    data = [
        {"bar": place, "name": shown[bar], "series": name, "n": parts.get(name, 0), "at": at}
        for place, (bar, parts) in enumerate(values.items())
        for at, name in enumerate(names)
    ]
    most = max((sum(parts.values()) for parts in values.values()), default=0) or 1
    order = list(dict.fromkeys(row["bar"] for row in data))
    texts = [shown[bar] for bar in values]
    plain = {"title": None, "domain": False, "ticks": False}
    # Names are cut here: Vega cuts characters in two, and then fails.
    axis = {**plain, "labelExpr": _names_of(texts), "labelLimit": 0, "minExtent": _NAMES_ROOM}
    y = {"field": "bar", "type": "ordinal", "sort": order, "axis": axis}
    x = {
        "field": "n",
        "type": "quantitative",
        "title": unit,
        "scale": {"domain": [0, most * _ROOM], "nice": False},
        "axis": {"tickCount": 4, "format": _format(most), "domain": False},
    }
    bar_layer = {
        "mark": {"type": "bar", "height": {"band": 0.62}},
        "encoding": {
            "y": y,
            "x": x,
            "color": _colour("series", names),
            "order": {"field": "at"},
        },
    }
    totals = [
        {"bar": place, "n": sum(parts.values()), "text": number(sum(parts.values()), 3)}
        for place, parts in enumerate(values.values())
    ]
    text_layer = {
        "data": {"values": totals},
        "mark": {"type": "text", "align": "left", "dx": 4, "color": _INK, "fontSize": 11},
        "encoding": {"y": y, "x": x, "text": {"field": "text"}},
    }
    height = {"step": _BAR}
    spec = {"height": height, "data": {"values": data}, "layer": [bar_layer, text_layer]}
    rows = [
        (label(bar), *(number(parts.get(name, 0)) for name in names))
        for bar, parts in values.items()
    ]
    largest = max(values, key=lambda bar: sum(values[bar].values()), default="")
    told = f"{len(values)} bars; the longest is {label(largest)} with {number(most)} {unit}."
    return Chart(title, spec, told, ("", *names), rows, note)


def figure(chart: Chart) -> str:
    """The chart as HTML, with its numbers folded up below."""
    numbers = table(
        chart.head,
        [[escape(cell) for cell in row] for row in chart.rows],
        label(chart.title),
        "numbers",
    )
    note = f"<small>{escape(chart.note)}</small>" if chart.note else ""
    caption = f"<figcaption>{escape(label(chart.title))}{_key(chart.head[1:])}{note}</figcaption>"
    drawing = _svg(chart)
    return f"<figure>{caption}{drawing}{details('Numbers', numbers)}</figure>"


def _key(names: Sequence[str]) -> str:
    """Which colour is which series; nothing if there is one."""
    if len(names) < 2:
        return ""
    kinds = zip(names, ("fill", "against", "soft"), strict=False)
    return "".join(f'<span class="key {kind}">{escape(name)}</span>' for name, kind in kinds)


def _format(most: float) -> str:
    """How an axis that goes so far writes its numbers."""
    return "~s" if most >= _THOUSANDS else ",~r"


def _names_of(texts: Sequence[str]) -> str:
    """An expression of Vega's that turns a place into its name: two bars may have the same."""
    return f"{json.dumps(list(texts))}[datum.value]"


def _colour(field: str, names: Sequence[str]) -> dict[str, Any]:
    scale = {"domain": list(names), "range": [_FILL, _AGAINST, _SOFT][: len(names)]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _peaks(unit: str, edges: Sequence[float], series: Series) -> str:
    said = []
    for name, counts in series.items():
        top = max(range(len(counts)), key=lambda i: counts[i])
        where = f"{number(edges[top])} to {number(edges[top + 1])}"
        said.append(f"{name}: most rows, {number(counts[top])}, at {where}")
    span = f"{number(edges[0])} to {number(edges[-1])}"
    return f"Histogram of {unit} from {span}. {'; '.join(said)}."


def _svg(chart: Chart) -> str:
    svg = _drawn(chart)
    svg = re.sub(r' (?:role|aria-\w+)="[^"]*"', "", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(f'"{colour}"', f'"var(--{variable})"')
    start = f'<svg role="img" aria-label="{escape(f"{label(chart.title)}. {chart.alternative}")}"'
    return start + svg.removeprefix("<svg")


def _drawn(chart: Chart) -> str:
    import vl_convert

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _THEME,
        **chart.spec,
    }
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=_newest(), allowed_base_urls=[])
    return svg


@cache
def _newest() -> str:
    import vl_convert

    versions: list[str] = vl_convert.get_vegalite_versions()
    return versions[-1]
