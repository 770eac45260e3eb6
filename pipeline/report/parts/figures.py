"""Scores, margins and lengths of the rows, as charts and in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.report.charts import Chart, figure, histogram
from pipeline.report.html import Part, grid, missing, number, section, table
from pipeline.report.measures import Measure, binned
from pipeline.report.rows import RowSet
from pipeline.report.text import name

_KEY, _TITLE = "figures", "Scores and lengths"
_WHAT = {
    "pair": "Of the {n} pairs of `{name}`.",
    "answer": "Of the {n} answers of `{name}`, desirable and undesirable.",
    "ranking": "Of the {n} rankings of `{name}`.",
    "text": "Of the {n} texts of `{name}`.",
}
_MEANING = (
    " Scores are the labeller's own: they compare answers to one prompt, and across prompts they "
    "say something only where a step made them comparable. Lengths are of the answer alone, in "
    "characters."
)
_TAILED = "The longest 1 % are counted in the last bin."
_PERCENTILES = (10, 50, 90)


def figures_part(rows: RowSet | None, measures: Sequence[Measure]) -> Part:
    """A histogram of each measure, and a table of their means and percentiles."""
    if rows is None:
        return missing(_KEY, _TITLE, "there are no rows yet")
    what = _WHAT[rows.kind].format(n=f"{rows.rows:,}", name=rows.name)
    charts = grid(figure(_chart(measure)) for measure in measures)
    note = "" if any(m.unit == "score" for m in measures) else _no_scores(rows)
    return section(_KEY, _TITLE, what + _MEANING, charts, note, _table(measures))


def _no_scores(rows: RowSet) -> str:
    return "" if rows.kind == "text" else "<p>The rows came without scores.</p>"


def _chart(measure: Measure) -> Chart:
    edges, counts = binned(measure)
    note = _TAILED if measure.is_tailed else ""
    return histogram(measure.title, measure.unit, edges, counts, note)


def _table(measures: Sequence[Measure]) -> str:
    import numpy as np

    head = ("", "rows", "mean", *(f"{p} %" if p != 50 else "median" for p in _PERCENTILES))
    rows = []
    for measure in measures:
        for series, values in measure.series.items():
            told = name(measure.title)
            if series != measure.title.lower() and len(measure.series) > 1:
                told = f"{told}, {name(series)}"
            points = np.percentile(values, _PERCENTILES)
            cells = [number(len(values)), *(number(float(v)) for v in (values.mean(), *points))]
            rows.append((told, *cells))
    return table(head, rows, "Means and percentiles", "numbers") if rows else ""
