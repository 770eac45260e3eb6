"""The way of the rows: how many leave each step, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.report.charts import bars, figure
from pipeline.report.examples import first_of_each
from pipeline.report.facts import Facts, StepLine
from pipeline.report.html import Part, details, grid, missing, number, section, share, table
from pipeline.report.text import name, quote

_KEY, _TITLE = "rows", "From the first row to the dataset"
_MEANING = (
    "Every row that a step does not pass on is kept with its reason. A step may also turn away "
    "single answers of a row that lives on, or make several rows of one; so rejects are counted by "
    "reason and need not be the difference of the rows. A step that is not complete shows what is "
    "there so far."
)
_BARS = 12
_STATES = {"complete": "complete", "partial": "partly done", "waiting": "not begun"}


def funnel_part(facts: Facts) -> Part:
    """Rows by step and rejects by reason, each with an example where the work is there."""
    if not facts.steps:
        return missing(_KEY, _TITLE, "the dataset does not say by which steps it was made")
    charts = [_rows_chart(facts), *_rejects_chart(facts)]
    return section(_KEY, _TITLE, _MEANING, grid(charts), _step_table(facts), _reasons(facts))


def _rows_chart(facts: Facts) -> str:
    working = [step for step in facts.steps if not step.is_export and step.state != "waiting"]
    rows = {step.name: {"rows": float(step.rows_out)} for step in working}
    return figure(bars("Rows that leave each step", "rows", rows)) if rows else ""


def _rejects_chart(facts: Facts) -> Iterator[str]:
    codes = Counter(code for step in facts.steps for code in step.rejects)
    counts = {
        code if codes[code] == 1 else f"{step.name}: {code}": {"rejects": float(count)}
        for step in facts.steps
        for code, count in step.rejects.items()
    }
    most = sorted(counts, key=lambda reason: -counts[reason]["rejects"])
    if most:
        note = f"The {_BARS} most frequent of {len(most)}." if len(most) > _BARS else ""
        shown = {reason: counts[reason] for reason in most[:_BARS]}
        yield figure(bars("What was turned away, by reason", "rejects", shown, note))


def _step_table(facts: Facts) -> str:
    head = ("step", "rows in", "rows out", "out of in", "rejects", "state")
    rows = [
        (
            name(step.name),
            number(step.rows_in),
            number(step.rows_out),
            share(step.rows_out, step.rows_in),
            number(sum(step.rejects.values())),
            _STATES[step.state],
        )
        for step in facts.steps
    ]
    return table(head, rows, "Rows by step", "numbers")


def _reasons(facts: Facts) -> str:
    """Why rows and answers were turned away, with the first of each reason."""
    rows = [row for step in facts.steps for row in _reasons_of(facts, step)]
    if not rows:
        return "<p>No step turned anything away.</p>"
    head = ("reason", "count", "why, and of what, for example")
    return details("All reasons, with an example each", table(head, rows, "Reasons", "wide"))


def _reasons_of(facts: Facts, step: StepLine) -> Iterator[tuple[str, str, str]]:
    examples = first_of_each(facts, step)
    for code, count in sorted(step.rejects.items(), key=lambda item: (-item[1], item[0])):
        example = examples.get(code)
        shown = f"{quote(example.message)}{quote(example.text)}" if example else "–"
        yield f"{name(code)}<br><small>{name(step.name)}</small>", number(count), shown
