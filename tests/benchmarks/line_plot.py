"""A line plot as SVG, for results that are kept: drawn here, since nothing else needs a plotter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 640, 400, 60
COLOURS = ("#1f6fb4", "#c2410c", "#15803d", "#7e22ce")


def line_plot(
    title: str, x_name: str, xs: Sequence[int], shares: Mapping[str, Sequence[float]]
) -> str:
    """Shares from 0 to 1 over `xs`, which stand at equal distances: one line per name."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, MARGIN / 2, title, "middle"),
        _text(WIDTH / 2, HEIGHT - 12, x_name, "middle"),
    ]
    for tenths in range(0, 11, 2):
        y = _y(tenths / 10)
        lines += [_line([(MARGIN, y), (WIDTH - MARGIN, y)], "#dddddd", 1)]
        lines += [_text(MARGIN - 8, y + 4, f"{tenths * 10} %", "end")]
    lines += [_text(_x(i, len(xs)), HEIGHT - MARGIN + 20, x, "middle") for i, x in enumerate(xs)]
    for number, (name, values) in enumerate(shares.items()):
        points = [(_x(i, len(xs)), _y(value)) for i, value in enumerate(values)]
        colour = COLOURS[number]
        lines += [_line(points, colour, 2)]
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        lines += [_text(MARGIN + 12, HEIGHT - MARGIN - 14 - 18 * number, name, "start", colour)]
    return "\n".join([*lines, "</svg>", ""])


def _x(place: int, count: int) -> float:
    return MARGIN + (WIDTH - 2 * MARGIN) * (place + 0.5) / count


def _y(share: float) -> float:
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share


def _line(points: Sequence[tuple[float, float]], colour: str, width: int) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: object, anchor: str, colour: str = "#222222") -> str:
    words = escape(str(text))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'
