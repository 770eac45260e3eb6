"""Examples of what was turned away: the first of each reason, and what duplicates duplicate."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.report.facts import Facts, StepLine
from pipeline.report.measures import last_texts
from pipeline.runtime.labelled import tables_of
from pipeline.runtime.status import read_rejects
from schemas.columns import MESSAGES, ROW_ID

if TYPE_CHECKING:
    from pipeline.runtime.status import StepStatus

DUPLICATE_CODES = ("duplicate", "in_index")
_OF_ROW = re.compile(r"^duplicate of row (\S+?)(?: of the index)?:")


@dataclass(frozen=True, slots=True)
class Example:
    """A row, or an answer, that was turned away.

    Attributes:
        text: what it was about; may be empty.
        standing: the row that stays in place of a duplicate, by its prompt; None if not known.
    """

    code: str
    message: str
    text: str
    standing: str | None = None


def first_of_each(facts: Facts, line: StepLine) -> dict[str, Example]:
    """By reason, the first that the step turned away; empty where only the dataset is left."""
    found: dict[str, Example] = {}
    step = facts.status_of(line)
    if step is None or not line.rejects:
        return found
    for reject in read_rejects([step]):
        if reject["code"] not in found:
            found[reject["code"]] = _example(reject)
        if found.keys() == line.rejects.keys():
            break
    return found


def duplicates(facts: Facts, line: StepLine, count: int) -> list[Example]:
    """The first duplicates that a step found, each with the row that stays in its place."""
    step = facts.status_of(line)
    if step is None:
        return []
    found = []
    for reject in read_rejects([step]):
        if reject["code"] in DUPLICATE_CODES:
            found.append(_example(reject))
        if len(found) == count:
            break
    ids = [match[1] if (match := _OF_ROW.match(one.message)) else "" for one in found]
    texts = _prompts_of(step, set(ids) - {""})
    return [replace(one, standing=texts.get(row)) for one, row in zip(found, ids, strict=True)]


def _prompts_of(step: StepStatus, ids: set[str]) -> dict[str, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    found: dict[str, str] = {}
    for table in tables_of(step) if ids else ():
        if MESSAGES.name not in table.column_names:
            break
        wanted = pa.array(sorted(ids - found.keys()), pa.string())
        here = table.filter(pc.is_in(table.column(ROW_ID.name), wanted))
        prompts = last_texts(here.column(MESSAGES.name)).to_pylist()
        found |= zip(here.column(ROW_ID.name).to_pylist(), prompts, strict=True)
        if found.keys() == ids:
            break
    return found


def _example(reject: dict[str, str]) -> Example:
    return Example(reject["code"], reject["message"], reject["raw"] or "")
