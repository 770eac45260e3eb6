"""The pieces that a page is put together from. What they are given is HTML already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from pipeline.report.text import coded


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the report.

    Attributes:
        key: its place on the page, for links.
        title: in plain text.
        html: all of it, from `section`.
    """

    key: str
    title: str
    html: str


def section(key: str, title: str, meaning: str, *content: str) -> Part:
    """A part of the page: `meaning` says in our own words how it is read."""
    head = f'<h2>{escape(title)}</h2><p class="meaning">{coded(meaning)}</p>'
    return Part(key, title, f'<section id="{key}">{head}{"".join(content)}</section>')


def missing(key: str, title: str, reason: str) -> Part:
    """A part of which nothing can be had."""
    head = f'<section id="{key}"><h2>{escape(title)}</h2>'
    return Part(
        key, title, f'{head}<p class="unknown">Cannot be had: {coded(reason)}.</p></section>'
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", kind: str = ""
) -> str:
    """A table whose first cells name their rows.

    Args:
        head: in plain text.
        rows: cells in HTML.
        caption: in plain text, for those who cannot see where the table stands.
        kind: a CSS class, `numbers` for one of figures.
    """
    names = [escape(name) for name in head]
    body = "".join(_row(names, row) for row in rows)
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    start = f'<table class="{kind}">{told}<thead><tr>{columns}</tr></thead>'
    return f"{start}<tbody>{body}</tbody></table>"


def _row(names: Sequence[str], cells: Sequence[str]) -> str:
    first, *rest = cells
    others = "".join(
        f'<td data-name="{name}">{cell}</td>' for name, cell in zip(names[1:], rest, strict=True)
    )
    return f'<tr><th scope="row">{first}</th>{others}</tr>'


def details(summary: str, content: str) -> str:
    """Something that is folded up; `summary` in plain text."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def grid(figures: Iterable[str]) -> str:
    """Charts beside each other, as many as there is room for."""
    return f'<div class="charts">{"".join(figures)}</div>'


def number(value: float | None, digits: int = 4) -> str:
    """A figure: whole numbers whole, others to so many digits; a dash if there is none."""
    if value is None or value != value:
        return "–"
    if float(value).is_integer() and abs(value) < 10**15:
        return f"{int(value):,}"
    return f"{value:,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """In per cent; a dash if there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "–"
