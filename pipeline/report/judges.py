"""What judges said of some pairs, found in the work of the run by the rows they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime.labelled import read_labelled_work, tables_of
from schemas.columns import CHOSEN, JUDGEMENTS, LINEAGE, REJECTED, RESPONSES, ROW_ID, VERDICTS

Row = dict[str, Any]
Judgements = list[dict[str, Any]]
_READ = (ROW_ID.name, RESPONSES.name, JUDGEMENTS.name, VERDICTS.name)


def judgements_of(out: Path | None, pairs: Sequence[Row]) -> dict[str, Judgements]:
    """By row_id of a pair what was said of its two answers: labeller, words, p of the chosen one.

    Where the run keeps what a judge wrote, its words are those; else its probabilities. `out` is
    the run's output folder; None, where there is none, gives nothing.
    """
    if out is None:
        return {}
    step = read_labelled_work(out).labelled
    if step is None:
        return {}
    import pyarrow as pa
    import pyarrow.compute as pc

    by_ancestor: dict[str, list[Row]] = {}
    for pair in pairs:
        for row_id in _line_of(pair):
            by_ancestor.setdefault(row_id, []).append(pair)
    wanted = pa.array(sorted(by_ancestor), pa.string())
    found: dict[str, Judgements] = {}
    for table in tables_of(step):
        names = [name for name in _READ if name in table.column_names]
        here = table.select(names).filter(pc.is_in(table.column(ROW_ID.name), wanted))
        for row in here.to_pylist():
            for pair in by_ancestor[row[ROW_ID.name]]:
                found.setdefault(pair[ROW_ID.name], []).extend(_said(row, pair))
    return found


def _line_of(pair: Row) -> Iterator[str]:
    """The row itself and all that it was made of."""
    yield pair[ROW_ID.name]
    for ancestor in pair.get(LINEAGE.name) or ():
        yield ancestor["row_id"]


def _said(row: Row, pair: Row) -> Iterator[dict[str, Any]]:
    ids = {answer["text"]: answer["response_id"] for answer in row[RESPONSES.name]}
    chosen, rejected = (ids.get(_text(pair[name])) for name in (CHOSEN.name, REJECTED.name))
    if chosen is None or rejected is None:
        return
    names = {chosen: "chosen", rejected: "rejected"}
    with_words: set[str] = set()
    for verdict in row.get(VERDICTS.name) or ():
        here = [names[answer] for answer in verdict["shown"] if answer in names]
        if len(here) == len(names) or len(verdict["shown"]) == len(here) == 1:
            with_words.add(verdict["labeller"])
            yield _verdict(verdict, here, chosen)
    for one in row.get(JUDGEMENTS.name) or ():
        ends = one["response_a"], one["response_b"]
        if set(ends) == {chosen, rejected} and one["labeller"] not in with_words:
            yield _orders(one, is_turned=ends[0] != chosen)


def _verdict(verdict: Row, here: Sequence[str], chosen: str) -> dict[str, Any]:
    """One question to a judge; p is known where it compared the two answers and no others."""
    is_pairwise = verdict["topic"].partition("/")[0] == "pairwise"
    values = dict(zip(verdict["shown"], verdict["values"], strict=True))
    about = f"{here[0]} shown first" if len(here) > 1 else f"of {here[0]}"
    return {
        "labeller": f"{verdict['labeller']} ({verdict['judge']}, {verdict['topic']}, {about})",
        "words": verdict["rationale"] or verdict["raw"],
        "p": values[chosen] if is_pairwise else None,
    }


def _orders(judgement: Row, *, is_turned: bool) -> dict[str, Any]:
    """A judgement that left no words: its probabilities in both orders, of the chosen answer."""
    sides = [judgement[name] for name in ("p_a_shown_first", "p_a_shown_second", "p_a")]
    first, second, p = (None if v is None else 1 - v if is_turned else v for v in sides)
    if is_turned:
        first, second = second, first
    orders = zip(("first", "second"), (first, second), strict=True)
    shown = [f"chosen shown {place}: {value:.3f}" for place, value in orders if value is not None]
    return {"labeller": judgement["labeller"], "words": "; ".join(shown), "p": p}


def _text(answer: Any) -> str:
    """An answer's text, be it a turn or the text itself."""
    text: str = answer if isinstance(answer, str) else answer[-1]["content"]
    return text
