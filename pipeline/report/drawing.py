"""Drawings by Vega-Lite, made while the report is written: SVG in the page, no script.

Colours are the page's own: a drawing is made in colours that nobody uses, and each is then
replaced by the CSS variable it stands for, so that one drawing fits day, night and paper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

from pipeline.report.html import number
from pipeline.report.text import fitted

Spec = Mapping[str, Any]
"""Of Vega-Lite."""
Series = Mapping[str, Sequence[float]]
"""Counts by name, a count for each bin."""
Bars = Mapping[str, Mapping[str, float]]
"""Lengths by bar, by series."""

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
_NUMBER = {"type": "quantitative"}
_STEPS = {"interpolate": "step-after"}
_THEME: dict[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
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


def histogram_spec(unit: str, edges: Sequence[float], series: Series) -> Spec:
    """Steps over bins, one line for each series, the second dashed."""
    values = [
        {"x": x, "n": count, "series": name}
        for name, counts in series.items()
        for x, count in zip(edges, [*counts, counts[-1]], strict=True)
    ]
    x_axis = {"grid": False, "tickCount": 5, "format": _format(max(map(abs, edges)))}
    y_axis = {"tickCount": 4, "domain": False, "tickMinStep": 1}
    encoding = {
        "x": {**_NUMBER, "field": "x", "title": unit, "scale": {"nice": False}, "axis": x_axis},
        "y": {**_NUMBER, "field": "n", "title": "rows", "stack": None, "axis": y_axis},
        "color": _colour(list(series)),
    }
    dashes = {"domain": list(series), "range": [[1, 0], [4, 3]]}
    dash = {"field": "series", "scale": dashes, "legend": None}
    layers = [
        {"mark": {"type": "area", **_STEPS, "opacity": 0.16}, "encoding": encoding},
        {
            "mark": {"type": "line", **_STEPS, "strokeWidth": 1.75},
            "encoding": {**encoding, "strokeDash": dash},
        },
    ]
    return {"height": 170, "data": {"values": values}, "layer": layers}


def bars_spec(unit: str, bars: Bars) -> Spec:
    """Lying bars with their names to the left and their lengths to the right."""
    names = series_of(bars)
    pieces = [
        {"bar": place, "series": name, "n": parts.get(name, 0), "at": at}
        for place, parts in enumerate(bars.values())
        for at, name in enumerate(names)
    ]
    lengths = [sum(parts.values()) for parts in bars.values()]
    ends = [{"bar": at, "n": n, "text": number(n, 3)} for at, n in enumerate(lengths)]
    place = {"y": _bar_names(list(bars)), "x": _bar_lengths(unit, max(lengths, default=0) or 1)}
    layers = [
        {
            "mark": {"type": "bar", "height": {"band": 0.62}},
            "encoding": {**place, "color": _colour(names), "order": {"field": "at"}},
        },
        {
            "data": {"values": ends},
            "mark": {"type": "text", "align": "left", "dx": 4, "color": _INK, "fontSize": 11},
            "encoding": {**place, "text": {"field": "text"}},
        },
    ]
    return {"height": {"step": _BAR}, "data": {"values": pieces}, "layer": layers}


def series_of(bars: Bars) -> list[str]:
    """Names of the series of all bars."""
    return list(dict.fromkeys(name for parts in bars.values() for name in parts))


def _bar_names(bars: Sequence[str]) -> Spec:
    """Bars go by their places, as two may have the same name.

    Names are cut here: Vega cuts characters in two, and then fails.
    """
    texts = json.dumps([fitted(bar, _NAMES) for bar in bars])
    axis = {
        **{"title": None, "domain": False, "ticks": False},
        **{"labelExpr": f"{texts}[datum.value]", "labelLimit": 0, "minExtent": _NAMES_ROOM},
    }
    return {"field": "bar", "type": "ordinal", "sort": list(range(len(bars))), "axis": axis}


def _bar_lengths(unit: str, most: float) -> Spec:
    axis = {"tickCount": 4, "format": _format(most), "domain": False}
    scale = {"domain": [0, most * _ROOM], "nice": False}
    return {**_NUMBER, "field": "n", "title": unit, "scale": scale, "axis": axis}


def _format(most: float) -> str:
    """How an axis that goes so far writes its numbers."""
    return "~s" if most >= _THOUSANDS else ",~r"


def _colour(names: Sequence[str]) -> Spec:
    scale = {"domain": names, "range": [_FILL, _AGAINST, _SOFT][: len(names)]}
    return {"field": "series", "type": "nominal", "scale": scale, "legend": None}


def svg(spec: Spec, told: str) -> str:
    """The drawing as an SVG element in the page's colours; `told` says what is to be seen."""
    drawn = re.sub(r' (?:role|aria-\w+)="[^"]*"', "", _drawn(spec))
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(f'"{colour}"', f'"var(--{variable})"')
    return f'<svg role="img" aria-label="{escape(told)}"{drawn.removeprefix("<svg")}'


def _drawn(spec: Spec) -> str:
    import vl_convert

    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _THEME,
        **spec,
    }
    drawn: str = vl_convert.vegalite_to_svg(whole, vl_version=_newest(), allowed_base_urls=[])
    return drawn


@cache
def _newest() -> str:
    import vl_convert

    versions: list[str] = vl_convert.get_vegalite_versions()
    return versions[-1]
