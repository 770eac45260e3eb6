"""What the labels are worth, by the sections of an audit."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.audit.agreement import agreement
from pipeline.audit.consistency import self_consistency
from pipeline.audit.figures import Section
from pipeline.audit.labels import Labels
from pipeline.audit.length import length_correlation
from pipeline.audit.page import render_section
from pipeline.audit.position import position_bias
from pipeline.audit.reading import read_labels
from pipeline.audit.refusals import lost_labels, refusals
from pipeline.audit.ties import ties
from pipeline.report.facts import Facts
from pipeline.report.html import Part, missing, section
from pipeline.report.rows import RowSet
from pipeline.report.text import coded
from pipeline.runtime.run_labels import read_run_labels

_FACTORS = ("length", "refusal")
"""What the sections below look at."""
_KEY, _TITLE = "labels", "What the labels are worth"
_MEANING = (
    "A labeller is whoever said which of two answers is better: `label` is the dataset itself, by "
    "what it calls chosen; the others are judges and scores. Below a figure stand its 95 % "
    "interval and n, on how many it rests. `prefmill audit` shows more: what the labels reward, "
    "ratings of the models, and what people say."
)


def label_sections(facts: Facts, rows: RowSet | None) -> tuple[Section, ...]:
    """The sections of an audit that a report shows; none if nothing was labelled."""
    labels = _labels(facts, rows)
    if labels is None or not len(labels.pairs):
        return ()
    return (
        position_bias(labels),
        self_consistency(labels),
        ties(labels),
        agreement(labels),
        length_correlation(labels),
        refusals(labels),
        lost_labels(labels),
    )


def _labels(facts: Facts, rows: RowSet | None) -> Labels | None:
    if facts.out is not None:
        return read_run_labels(facts.out, published=True, factors=_FACTORS)
    if facts.dataset is None or rows is None or rows.kind != "pair":
        return None
    return read_labels(facts.dataset.path / rows.name, _FACTORS)


def labels_part(sections: Sequence[Section]) -> Part:
    """The sections; those of which nothing can be had are named at the end."""
    if not sections:
        return missing(_KEY, _TITLE, "there are no pairs of answers, so nothing was preferred")
    shown = [section for section in sections if not section.unknown]
    without = [one for one in sections if one.unknown]
    notes = "".join(f"<li>{coded(one.title)}: {coded(one.unknown)}.</li>" for one in without)
    rest = f'<ul class="missing">{notes}</ul>' if notes else ""
    tables = "".join(render_section(one, level=3) for one in shown)
    return section(_KEY, _TITLE, _MEANING, f'<div class="audits">{tables}</div>', rest)
