"""The audit as one HTML file: opens offline, loads nothing, runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from pipeline.audit.charts import reach_of, share_bar, signed_bar
from pipeline.audit.figures import Line, Section, Value
from pipeline.audit.page_style import STYLE
from pipeline.audit.report import Audit
from pipeline.audit.words import told
from schemas.errors import InputError

_MARK = '<meta name="generator" content="prefmill audit">'
_TILES = (
    ("position_bias", "flips", "flip when the order is swapped"),
    ("length", "longer preferred", "prefer the longer answer"),
    ("ties", "ties", "are ties"),
    ("refusals", "of preferred", "of preferred answers refuse"),
    ("human", "agree", "agree with people"),
)
"""Section, figure, and what it says of its first subject, for the top of the page."""


def refuse_foreign_page(page: Path) -> None:
    """Raise InputError if the page cannot be written there, or would replace another file."""
    if not page.parent.is_dir():
        raise InputError(f"--page {page}: there is no folder {page.parent}")
    if page.is_dir():
        raise InputError(f"--page {page}: is a folder; name a file, e.g. {page / 'audit.html'}")
    if page.exists() and _MARK.encode() not in page.read_bytes():
        raise InputError(
            f"{page} exists and is no page of an audit; it is left alone. Name another with --page."
        )


def render_page(audit: Audit) -> str:
    """The page."""
    title = escape(f"Labels of {audit.name}")
    body = "".join(_section(section) for section in audit.sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{_MARK}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>"
        f"<header><h1>{title}</h1>{_facts(audit)}</header>{_tiles(audit)}{_contents(audit)}{body}"
        "<footer>Intervals are 95 %. A dash is a figure that cannot be had; the reason is below "
        "its table. Nothing on this page is filled in.</footer></main></body></html>\n"
    )


def _facts(audit: Audit) -> str:
    facts = [f"<b>{audit.pairs:,}</b> pairs of answers"]
    facts += [f"{n:,} read as {escape(name)}" for name, n in audit.layouts.items()]
    facts += [f"{n:,} skipped: {escape(name)}" for name, n in audit.skipped.items()]
    return f'<p class="facts">{" · ".join(facts)}</p>'


def _tiles(audit: Audit) -> str:
    tiles = []
    for key, measure, says in _TILES:
        lines = audit.section(key).lines
        line = next((line for line in lines if _has(line, measure)), None)
        if line is not None:
            figure = f"{line.values[measure].value:.0%}"
            subject = f"{escape(line.subject)}: {says}"
            tiles.append(f'<a href="#{key}"><b>{figure}</b><span>{subject}</span></a>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _has(line: Line, measure: str) -> bool:
    return measure in line.values and line.values[measure].value is not None


def _contents(audit: Audit) -> str:
    links = (f'<a href="#{s.key}">{escape(s.title)}</a>' for s in audit.sections)
    return f"<nav>{' '.join(links)}</nav>"


def _section(section: Section) -> str:
    content = (
        f'<p class="unknown">Cannot be had: {escape(section.unknown)}.</p>'
        if section.unknown
        else _table(section)
    )
    return (
        f'<section id="{section.key}"><h2>{escape(section.title)}</h2>'
        f'<p class="meaning">{_code(section.meaning)}</p>{content}</section>'
    )


def _code(text: str) -> str:
    """Escaped, with what stands in backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def _table(section: Section) -> str:
    names = section.measures
    reach = {n: reach_of([li.values[n] for li in section.lines if n in li.values]) for n in names}
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(_rows(section.shown, names, reach))
    missing = section.missing.items()
    notes = "".join(f"<li>{escape(reason)}: {escape(which)}</li>" for reason, which in missing)
    notes = f'<ul class="missing">{notes}</ul>' if notes else ""
    return (
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{notes}"
    )


def _rows(lines: Sequence[Line], names: Sequence[str], reach: dict[str, float]) -> Iterator[str]:
    for group, members in groupby(lines, key=lambda line: line.group):
        if group:
            yield f'<tr class="group"><th colspan="{len(names) + 1}">{escape(group)}</th></tr>'
        for line in members:
            cells = "".join(_cell(line.values.get(name), reach[name]) for name in names)
            yield f'<tr><th scope="row">{escape(line.subject)}</th>{cells}</tr>'


def _cell(value: Value | None, reach: float) -> str:
    if value is None:
        return "<td></td>"
    bars = {"share": share_bar(value), "number": signed_bar(value, reach), "count": ""}
    why = f"{value.n:,} counted" if value.value is not None else value.unknown
    figure = f"<span>{escape(told(value))}</span>"
    return f'<td title="{escape(why)}">{bars[value.kind]}{figure}</td>'
