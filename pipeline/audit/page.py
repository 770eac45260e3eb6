"""The audit as one HTML file: opens offline, loads nothing, runs no script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from pipeline.audit.charts import bar, reach_of
from pipeline.audit.figures import Line, Section, Value
from pipeline.audit.page_style import STYLE
from pipeline.audit.report import Audit
from pipeline.audit.words import told, told_interval
from schemas.errors import InputError

MARK = '<meta name="generator" content="prefmill audit">'
_LEAD = (
    "What the labels are worth. A labeller is whoever said which of two answers is better: `label` "
    "is the dataset itself, by what it calls chosen; the others are judges and scores. Below a "
    "figure stand its 95 % interval, which takes pairs to be independent unless the section says "
    "bootstrap, and n, the number of pairs, answers or judgements that it rests on."
)
_TILES: tuple[tuple[str, str, Callable[[float], float], str], ...] = (
    ("position_bias", "flips", float, "of the judgements of {} flip when the answers swap places"),
    (
        "length",
        "longer preferred",
        lambda share: abs(share - 0.5),
        "of the pairs go to the longer answer with {}",
    ),
    ("ties", "ties", float, "of the pairs are ties to {}"),
    ("refusals", "of preferred", float, "of the answers preferred by {} refuse to answer"),
    ("human", "agree", lambda share: -share, "of the verdicts of {} are those of people"),
)
"""Section, figure, how bad a value is, and what it says of its subject: for the top of the page,
where the worst of each is shown."""


def refuse_foreign_page(page: Path, mark: str = MARK, option: str = "--page") -> None:
    """Raise InputError if the page cannot be written there, or would replace another file.

    Args:
        page: the file.
        mark: what stands in every page of the kind that it may replace.
        option: the one that names the file.
    """
    if not page.parent.is_dir():
        raise InputError(f"{option} {page}: there is no folder {page.parent}")
    if page.is_dir():
        raise InputError(f"{option} {page}: is a folder; name a file, e.g. {page / 'page.html'}")
    if page.exists() and mark.encode() not in page.read_bytes():
        raise InputError(
            f"{page} exists and was not written by prefmill as such a page; it is left alone. Name "
            f"another with {option}."
        )


def render_page(audit: Audit) -> str:
    """The page."""
    title = escape(f"Labels of {audit.name}")
    body = "".join(render_section(section) for section in audit.sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{MARK}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>"
        f"<header><h1>{title}</h1>{_facts(audit)}<p>{_code(_LEAD)}</p></header>"
        f"{_tiles(audit)}{_contents(audit)}{body}"
        "<footer>A dash is a figure that cannot be had; the reason is below its table. Nothing on "
        "this page is filled in.</footer></main></body></html>\n"
    )


def _facts(audit: Audit) -> str:
    facts = [f"<b>{audit.pairs:,}</b> pairs of answers"]
    facts += [f"{n:,} read as {escape(name)}" for name, n in audit.layouts.items()]
    facts += [f"{n:,} skipped: {escape(name)}" for name, n in audit.skipped.items()]
    return f'<p class="facts">{" · ".join(facts)}</p>'


def _tiles(audit: Audit) -> str:
    tiles = []
    for key, measure, badness, says in _TILES:
        found = [
            (badness(value.value), value.value, line.subject)
            for line in audit.section(key).lines
            if (value := line.values.get(measure)) and value.value is not None
        ]
        if found:
            _, share, subject = max(found, key=lambda one: one[0])
            text = _code(says.format(f"`{subject}`"))
            tiles.append(f'<a href="#{key}"><b>{100 * share:.0f} %</b><span>{text}</span></a>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _contents(audit: Audit) -> str:
    links = (f'<a href="#{s.key}">{escape(s.title)}</a>' for s in audit.sections)
    return f"<nav>{' '.join(links)}</nav>"


def render_section(section: Section, level: int = 2) -> str:
    """One section of figures, as it stands on a page under a heading of this level."""
    heading = f"<h{level}>{escape(section.title)}</h{level}>"
    head = f'<section id="{section.key}">{heading}'
    if section.unknown:
        return f'{head}<p class="unknown">Cannot be had: {escape(section.unknown)}.</p></section>'
    return f'{head}<p class="meaning">{_code(section.meaning)}</p>{_tables(section)}</section>'


def _code(text: str) -> str:
    """Escaped, with what stands in backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def _tables(section: Section) -> str:
    """A table for each group, those behind the first folded up; and why figures are missing."""
    names = section.measures
    reach = {n: reach_of([li.values[n] for li in section.lines if n in li.values]) for n in names}
    groups = groupby(section.shown, key=lambda line: line.group)
    tables = [(group, _table(list(lines), names, reach)) for group, lines in groups]
    folded = [
        f"<details{' open' if i == 0 else ''}><summary>{escape(group)}</summary>{table}</details>"
        if group
        else table
        for i, (group, table) in enumerate(tables)
    ]
    missing = section.missing.items()
    notes = "".join(f"<li>{escape(which)}: {escape(reason)}</li>" for reason, which in missing)
    return "".join(folded) + (f'<ul class="missing">{notes}</ul>' if notes else "")


def _table(lines: Sequence[Line], names: Sequence[str], reach: dict[str, float]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(_row(line, names, reach) for line in lines)
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(line: Line, names: Sequence[str], reach: dict[str, float]) -> str:
    cells = "".join(_cell(name, line.values.get(name), reach[name]) for name in names)
    return f'<tr><th scope="row">{escape(line.subject)}</th>{cells}</tr>'


def _cell(name: str, value: Value | None, reach: float) -> str:
    if value is None:
        return '<td class="none"></td>'
    why = f' title="{escape(value.unknown)}"' if value.unknown else ""
    figure, interval = told(value), told_interval(value)
    rests = "" if value.value is None or value.kind == "count" else f"n {value.n:,}"
    # Broken between the two if at all.
    below = " · ".join(
        part.replace(" ", "\N{NO-BREAK SPACE}") for part in (interval, rests) if part
    )
    return (
        f'<td data-name="{escape(name)}"{why}><div>{bar(value, reach)}<span>{escape(figure)}'
        f"<small>{escape(below)}</small></span></div></td>"
    )
