"""How cost grows with rows: the exponent, and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

Points = Sequence[tuple[float, float]]
COLOURS = ("#1f6feb", "#cf222e", "#8250df", "#1a7f37")
WIDTH, HEIGHT, PAD = 520, 300, 56


def exponent(points: Points) -> float:
    """The slope of log(y) over log(x), by least squares."""
    x, y = np.log(np.array(points, float)).T
    return float(np.polyfit(x, y, 1)[0])


def log_log(lines: Mapping[str, Points], x_name: str, y_name: str) -> str:
    """An SVG of named lines, both axes logarithmic; each line's exponent beside its name."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]

    def place(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / min(xs)) / (math.log(max(xs) / min(xs)) or 1)
        up = math.log(y / min(ys)) / (math.log(max(ys) / min(ys)) or 1)
        return PAD + (WIDTH - 2 * PAD) * across, HEIGHT - PAD - (HEIGHT - 2 * PAD) * up

    drawn = []
    for (name, points), colour, row in zip(lines.items(), COLOURS, range(len(lines)), strict=False):
        spots = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in spots]
        label = f"{name}, exponent {exponent(points):.2f}" if len(points) > 1 else name
        drawn.append(f'<text x="{PAD + 8}" y="{PAD + 14 * row}" fill="{colour}">{label}</text>')
    for x in sorted(set(xs)):
        drawn.append(_text(place(x, min(ys))[0], HEIGHT - PAD + 16, f"{x:,.0f}"))
    for y in (min(ys), max(ys)):
        drawn.append(_text(PAD - 24, place(min(xs), y)[1], f"{y:,.3g}"))
    drawn.append(_text(WIDTH / 2, HEIGHT - 12, x_name))
    drawn.append(f'<text x="8" y="{PAD - 24}">{y_name}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#57606a">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{"".join(drawn)}</svg>\n'
    )


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{words}</text>'
