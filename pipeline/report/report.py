"""The report of a run or of a dataset: everything that was made, lost and measured, on one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from pipeline.audit.page import refuse_foreign_page
from pipeline.compare.structure import Diff
from pipeline.files import write_atomic
from pipeline.report.coverage import coverage_of
from pipeline.report.facts import Facts, read_facts, run_of
from pipeline.report.html import Part
from pipeline.report.measures import measures_of
from pipeline.report.page import MARK, render_page
from pipeline.report.parts.browser import browser_part
from pipeline.report.parts.changes import changes_part
from pipeline.report.parts.costs import costs_part
from pipeline.report.parts.coverage import coverage_part
from pipeline.report.parts.duplicates import duplicates_part
from pipeline.report.parts.figures import figures_part
from pipeline.report.parts.funnel import funnel_part
from pipeline.report.parts.headline import headline
from pipeline.report.parts.labels import label_sections, labels_part
from pipeline.report.parts.making import making_part
from pipeline.report.parts.selection import selection_part
from pipeline.report.rows import RowSet, row_sets
from pipeline.report.sample import sampled_records
from pipeline.report.text import label

PAGE = "report.html"


def write_report(out: Path, changes: Diff | None = None, page: Path | None = None) -> Path:
    """Write the report of a run, finished or not, or of a dataset; returns where.

    Args:
        out: the run's output folder, or a dataset folder.
        changes: since the release before.
        page: where to write it; by default `report.html` in the run's folder, else here.

    Raises:
        InputError: there is neither run nor dataset, a file of them is damaged, or something else
            stands where the page is to be.
    """
    target = page or (run_of(out) or Path()) / PAGE
    refuse_foreign_page(target, MARK, "-o")
    html = render_report(read_facts(out), changes).encode("utf-8", "backslashreplace")
    write_atomic(target, lambda file: _write(file, html))
    return target


def report_or_tell(
    out: Path, tell: Callable[[str], None], changes: Diff | None = None
) -> Path | None:
    """Write the report of what is whole without it: a fault in it is told, and no more."""
    try:
        return write_report(out, changes)
    except Exception as error:  # whatever it is, the dataset is written and the run has succeeded
        tell(
            f"the dataset is written, its report is not: {error}. "
            "Try again with `prefmill report DIR`."
        )
        return None


def render_report(facts: Facts, changes: Diff | None = None) -> str:
    """The page as text."""
    sets = row_sets(facts)
    first = sets[0] if sets else None
    measures = measures_of(first) if first else []
    sections = label_sections(facts, first)
    parts = [
        funnel_part(facts),
        figures_part(first, measures),
        labels_part(sections),
        selection_part(facts),
        duplicates_part(facts),
        coverage_part(coverage_of(facts, first) if first else None),
        costs_part(facts),
        changes_part(changes) if changes is not None else None,
        _browser(facts, sets),
        making_part(facts),
    ]
    top = headline(facts, sets, measures, sections)
    there = [part for part in parts if part is not None]
    return render_page(f"{label(facts.name)} · prefmill report", top, there)


def _browser(facts: Facts, sets: list[RowSet]) -> Part:
    records = sampled_records(facts, sets) if sets else []
    return browser_part(records, sum(rows.rows for rows in sets))


def _write(file: IO[bytes], content: bytes) -> None:
    file.write(content)
