"""The top of the page: what it is, and the few figures by which it is judged first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from pipeline.audit.figures import Section
from pipeline.audit.pairs import LABEL
from pipeline.report.facts import Facts
from pipeline.report.html import number
from pipeline.report.measures import Measure
from pipeline.report.parts.costs import sampled_tokens, spent_seconds
from pipeline.report.rows import RowSet
from pipeline.report.text import coded, name, quote
from pipeline.runtime.console import duration

Tile = tuple[str, str, str]
"""Where it leads to, a figure, and what it says."""


def headline(
    facts: Facts, sets: Sequence[RowSet], measures: Sequence[Measure], sections: Sequence[Section]
) -> str:
    """Title, state and tiles."""
    tiles = [*_rows(sets), *_rejects(facts), *_margin(measures), *_shares(sections), *_cost(facts)]
    shown = "".join(
        f'<a href="#{key}"><b>{escape(figure)}</b><span>{coded(says)}</span></a>'
        for key, figure, says in tiles
    )
    title = f"<h1>{name(facts.name)}</h1>"
    return f'<header>{title}{_state(facts)}</header><div class="tiles">{shown}</div>'


def _state(facts: Facts) -> str:
    said = []
    if facts.dataset is not None and facts.dataset.manifest.get("release"):
        said.append(f"release {facts.dataset.release}")
    models = {model for step in facts.steps for model in step.models}
    models |= {f"{m['model']} ({m['engine']})" for m in facts.made_by.get("models", ())}
    said += [name(model) for model in sorted(models)]
    if facts.status is not None and facts.status.latest is not None:
        said.append(f"last run {name(facts.status.latest.started[:16].replace('T', ' '))} UTC")
    line = f'<p class="facts">{" · ".join(said)}</p>'
    return line + _warning(facts)


def _warning(facts: Facts) -> str:
    """What is not as it should be: no dataset, or a run that is not done."""
    if facts.status is None or (facts.dataset is not None and facts.is_finished):
        return ""
    if not facts.is_finished:
        done = sum(step.state == "complete" for step in facts.steps)
        why = f"The run is {facts.status.state}: {done} of {len(facts.steps)} steps are complete."
    else:
        why = "The run has written no dataset."
    error = facts.status.error
    return f'<div class="warning"><p>{escape(why)} {quote(error) if error else ""}</p></div>'


def _rows(sets: Sequence[RowSet]) -> Iterator[Tile]:
    for rows in sets[:2]:
        splits = [f"{count:,} {split}" for split, count in rows.splits.items() if split]
        held_out = f": {', '.join(splits)}" if len(splits) > 1 else ""
        yield "browse", f"{rows.rows:,}", f"rows in `{rows.name}`{held_out}"


def _rejects(facts: Facts) -> Iterator[Tile]:
    reasons: Counter[str] = Counter()
    for step in facts.steps:
        reasons.update(step.rejects)
    if reasons:
        most = reasons.most_common(1)[0][0]
        yield "rows", f"{reasons.total():,}", f"turned away with a reason, most as `{most}`"


def _margin(measures: Sequence[Measure]) -> Iterator[Tile]:
    import numpy as np

    for measure in measures:
        if "margin" in measure.series:
            median = float(np.median(measure.series["margin"]))
            yield "figures", number(median, 3), "median margin between chosen and rejected"


def _shares(sections: Sequence[Section]) -> Iterator[Tile]:
    """Of each judge's flips the most, and what the labels are to length."""
    by_key = {section.key: section for section in sections}
    flips = _values(by_key.get("position_bias"), "flips")
    if flips:
        subject, share = max(flips.items(), key=lambda item: item[1])
        told = f"of the judgements of `{subject}` flip when the answers swap places"
        yield "position_bias", f"{100 * share:.0f} %", told
    longer = _values(by_key.get("length"), "longer preferred")
    if LABEL in longer:
        told = "of the pairs have the longer answer as chosen"
        yield "length", f"{100 * longer[LABEL]:.0f} %", told


def _values(section: Section | None, measure: str) -> dict[str, float]:
    lines = section.lines if section else ()
    found = {line.subject: line.values.get(measure) for line in lines}
    return {
        subject: value.value
        for subject, value in found.items()
        if value is not None and value.value is not None
    }


def _cost(facts: Facts) -> Iterator[Tile]:
    tokens, seconds = sampled_tokens(facts), spent_seconds(facts)
    if tokens:
        yield "costs", number(tokens), "tokens sampled"
    if seconds:
        yield "costs", duration(seconds), "on the clock, over all runs"
