"""What the steps that choose among all rows kept, and how kept rows differ from the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.report.charts import figure, histogram
from pipeline.report.facts import Facts, StepLine
from pipeline.report.html import Part, grid, number, section, share, table
from pipeline.report.measures import Measure, binned
from pipeline.report.text import label, name
from pipeline.runtime.labelled import columns_of, tables_of
from schemas.selection import (
    DEITA_SCORE,
    DIVERSITY_GAIN,
    DSIR_LOGRATIO,
    ISA_DELTA,
    QUALITY_SCORE,
    ZIPFIT_SCORE,
)

if TYPE_CHECKING:
    from pipeline.runtime.status import StepStatus

_KEY, _TITLE = "selection", "What selection kept"
_MEANING = (
    "Steps that look at all rows before they keep some, with the figures of their choice. The "
    "charts show the score of the rows that stayed."
)
_SCORES = {
    "zipfit": ZIPFIT_SCORE,
    "dsir": DSIR_LOGRATIO,
    "isa": ISA_DELTA,
    "diversity": DIVERSITY_GAIN,
    "quality_mix": QUALITY_SCORE,
    "deita": DEITA_SCORE,
}
"""By stage, what it chose by."""
_DEDUP = "dedup"


def selection_part(facts: Facts) -> Part | None:
    """The figures of each choice; None if the recipe makes none."""
    steps = [step for step in facts.steps if step.figures and step.stage != _DEDUP]
    if not steps:
        return None
    content = []
    for step in steps:
        beside = grid([_figures(step.figures), *_charts(facts, step)])
        content.append(f"<h3>{name(step.name)}</h3>{_kept(step)}{beside}")
    return section(_KEY, _TITLE, _MEANING, *content)


def _kept(step: StepLine) -> str:
    told = f"{share(step.rows_out, step.rows_in)} of {number(step.rows_in)} rows stayed"
    return f"<p>{told}: {number(step.rows_out)}.</p>"


def _figures(figures: Mapping[str, Any]) -> str:
    rows = [(name(key.replace("_", " ")), _shown(value)) for key, value in figures.items()]
    return table(("figure", "value"), rows, "Figures of the choice", "narrow")


def _shown(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return escape(label(text, 400))
    return number(float(value))


def _charts(facts: Facts, line: StepLine) -> Iterator[str]:
    """The score of the rows that stayed, if the step wrote one and its work is there."""
    column, step = _SCORES.get(line.stage), facts.status_of(line)
    if column is not None and step is not None and column.name in columns_of(step):
        yield from _chart(step, column.name)


def _chart(step: StepStatus, column: str) -> Iterator[str]:
    import numpy as np

    values = np.concatenate([np.asarray(t.column(column), float) for t in tables_of(step)])
    known = values[np.isfinite(values)]
    if len(known):
        edges, counts = binned(Measure(column, "score", {"kept": known}))
        yield figure(histogram(f"{column} of the rows that stayed", column, edges, counts))
