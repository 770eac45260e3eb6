"""Figures of rows, against the same counted one by one."""

from __future__ import annotations

from statistics import mean, median
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.row_figures import measure_rows
from schemas.arrow import arrow_schema
from schemas.columns import MARGIN, ROW_ID, SCORE_CHOSEN, SCORE_REJECTED
from schemas.layouts import (
    CHOSEN_TURN,
    COMPLETION,
    COMPLETIONS,
    LABEL,
    PROMPT,
    RANKING_SCORES,
    REJECTED_TURN,
)

PAIRS = (PROMPT, CHOSEN_TURN, REJECTED_TURN, SCORE_CHOSEN, SCORE_REJECTED, MARGIN)
TEXT = st.text(st.sampled_from("ab é\n好"), max_size=8)
SCORE = st.none() | st.sampled_from([0.0, 0.25, 1.0])
NONE = pa.array([], pa.string())


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


def table(columns: Any, rows: list[dict[str, Any]]) -> pa.Table:
    named = [{"row_id": f"{i:032x}", **row} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(named, schema=arrow_schema((ROW_ID, *columns)))


@st.composite
def pairs(draw: st.DrawFn) -> dict[str, Any]:
    good, bad = draw(SCORE), draw(SCORE)
    known = good is not None and bad is not None
    return {
        "prompt": turns(*draw(st.lists(TEXT, min_size=1, max_size=2))),
        "chosen": turns(draw(TEXT)),
        "rejected": turns(draw(TEXT)),
        "score_chosen": good,
        "score_rejected": bad,
        "margin": good - bad if known else None,
    }


def said(turns: list[dict[str, str]]) -> int:
    return sum(len(turn["content"]) for turn in turns)


@given(st.lists(pairs(), min_size=1, max_size=12), st.integers(1, 5))
def test_pairs_are_measured_as_one_by_one_however_they_are_cut(
    rows: list[dict[str, Any]], cut: int
) -> None:
    whole = table(PAIRS, rows)
    parts = [whole.slice(start, cut) for start in range(0, len(rows), cut)]
    n, found = measure_rows(PAIRS, parts, NONE)
    assert n == found["new_rows"] == len(rows)
    for name in ("prompt", "chosen", "rejected"):
        lengths = [said(row[name]) for row in rows]
        words = [sum(len(turn["content"].split()) for turn in row[name]) for row in rows]
        assert found[f"{name}.characters.mean"] == pytest.approx(mean(lengths))
        assert found[f"{name}.characters.median"] == median(lengths)
        assert found[f"{name}.words.mean"] == pytest.approx(mean(words))
    margins = [row["margin"] for row in rows if row["margin"] is not None]
    assert found.get("margin.mean") == (pytest.approx(mean(margins)) if margins else None)
    assert found.get("ties") == (margins.count(0) / len(margins) if margins else None)
    gaps = [gap for row in rows if (gap := said(row["chosen"]) - said(row["rejected"]))]
    longer = sum(gap > 0 for gap in gaps) / len(gaps) if gaps else None
    assert found.get("longer_preferred") == longer
    assert found["prompts"] == len({str(row["prompt"]) for row in rows})
    texts = {str((row["prompt"], row["chosen"], row["rejected"])) for row in rows}
    assert found["duplicates"] == pytest.approx(1 - len(texts) / len(rows))


def test_rows_of_the_last_release_are_not_measured_again() -> None:
    rows = [{"completion": turns("a" * n), "label": n > 1} for n in (1, 2, 4)]
    known = pa.array([f"{0:032x}", "of another config"])
    n, found = measure_rows((COMPLETION, LABEL), [table((COMPLETION, LABEL), rows)], known)
    assert (n, found["completion.characters.mean"], found["desirable"]) == (2, 3.0, 1.0)


def test_without_new_rows_there_is_nothing_but_their_number() -> None:
    empty = table((COMPLETION, LABEL), [])
    assert measure_rows((COMPLETION, LABEL), [empty], NONE) == (0, {"new_rows": 0})


def test_of_a_ranking_lengths_are_of_all_answers_and_scores_of_all_of_them() -> None:
    columns = (COMPLETIONS, RANKING_SCORES)
    rows = [{"completions": ["abc", "a"], "scores": [3.0, 1.0]}]
    _, found = measure_rows(columns, [table(columns, rows)], NONE)
    assert (found["completions.characters.mean"], found["scores.mean"]) == (4.0, 2.0)
