"""What was there already: how many duplicates, and what they duplicate."""

from __future__ import annotations

from pipeline.report.examples import DUPLICATE_CODES, Example, duplicates
from pipeline.report.facts import Facts
from pipeline.report.html import Part, number, section, share, table
from pipeline.report.text import name, quote

_KEY, _TITLE = "duplicates", "Duplicates"
_MEANING = (
    "Rows that say what another row says already. `duplicate` is of a row of this run, `in_index` "
    "of one that an earlier release has. The row that stays is shown by its prompt."
)
_EXAMPLES = 5


def duplicates_part(facts: Facts) -> Part | None:
    """Counts and examples by step; None if no step looked for duplicates."""
    steps = [step for step in facts.steps if step.stage == "dedup"]
    if not steps:
        return None
    content = []
    for step in steps:
        counts = {code: step.rejects.get(code, 0) for code in DUPLICATE_CODES}
        found = sum(counts.values())
        told = ", ".join(f"{number(count)} {code}" for code, count in counts.items() if count)
        content.append(
            f"<h3>{name(step.name)}</h3><p>{number(found)} of {number(step.rows_in)} rows "
            f"({share(found, step.rows_in)}){': ' + told if told else ''}.</p>"
        )
        if examples := duplicates(facts, step, _EXAMPLES):
            rows = [_row(example) for example in examples]
            head = ("why", "what was dropped", "what stays")
            content.append(table(head, rows, "The first duplicates", "wide"))
    return section(_KEY, _TITLE, _MEANING, *content)


def _row(example: Example) -> tuple[str, str, str]:
    stays = quote(example.standing) if example.standing is not None else "a row of another run"
    return quote(example.message), quote(example.text), stays
