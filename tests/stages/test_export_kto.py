from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import Batch, Row
from schemas.errors import ExportRefused
from schemas.ids import child_id
from schemas.layouts import ORDER_BITS
from stages.export_kto import (
    STAGE,
    Config,
    desirable_weight_range,
    place,
    run,
)
from tests.preference_rows import QUESTION, batch_for, pair_row
from tests.support import FakeContext, run_pass

CONFIG = Config()


def first_pass(*rows: Row) -> Batch:
    return run(batch_for(STAGE, rows), CONFIG, FakeContext(stage="export_kto"))


def both_passes(*parts: list[Row]) -> list[Batch]:
    drafts = [first_pass(*part) for part in parts]
    return run_pass(STAGE, CONFIG, [draft.table for draft in drafts])[0]


def test_a_pair_becomes_two_rows() -> None:
    good, bad = first_pass(pair_row("r", "Rayleigh.", "Magic.")).rows
    assert good == {
        "row_id": child_id("r", "export_kto", "r-c"),
        "prompt": QUESTION,
        "completion": [{"role": "assistant", "content": "Rayleigh."}],
        "label": True,
        "score": 0.75,
        "labeller": "judge",
        "response_id": "r-c",
        "model": "policy:a",
        "source": "test",
        "lineage": [
            {"stage": "pair", "row_id": "r-parent"},
            {"stage": "export_kto", "row_id": "r"},
        ],
        "order": place("r", True),
    }
    assert (bad["label"], bad["score"], bad["model"]) == (False, 0.25, "policy:b")
    assert bad["completion"] == [{"role": "assistant", "content": "Magic."}]


def test_an_answer_appears_once_and_not_with_both_labels() -> None:
    parts = both_passes(
        [pair_row("1", "best", "middle"), pair_row("2", "best", "worst")],
        [pair_row("3", "middle", "worst ")],
    )
    kept = [
        (row["completion"][0]["content"].strip(), row["label"]) for p in parts for row in p.rows
    ]
    assert sorted(kept) == [("best", True), ("worst", False)]
    lost = Counter((reject.code, reject.raw.strip()) for part in parts for reject in part.rejects)
    assert lost == {
        ("duplicate", "best"): 1,
        ("duplicate", "worst"): 1,
        ("label_conflict", "middle"): 2,
    }


def test_the_same_answer_to_another_prompt_is_another_row() -> None:
    other = [{"role": "user", "content": "And the sea?"}]
    (part,) = both_passes([pair_row("1", "a", "b"), pair_row("2", "b", "a", messages=other)])
    assert len(part) == 4 and part.rejects == ()


def test_conflicts_may_leave_nothing() -> None:
    (part,) = both_passes([pair_row("1", "a", "b"), pair_row("2", "b", "a")])
    assert len(part) == 0
    assert {reject.code for reject in part.rejects} == {"label_conflict"}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (pair_row("r", "", "b"), "`completion` is empty"),
        (pair_row("r", "a", " "), "`completion` is empty"),
        (pair_row("r", None, "b"), "`completion` is null"),
        (pair_row("r", "a", "b", messages=[]), "no messages"),
        (pair_row("r", "a", "b", messages=[{"role": "system", "content": "Be."}]), "`system`"),
    ],
)
def test_what_a_trainer_would_take_silently_is_refused(row: Row, fault: str) -> None:
    with pytest.raises(ExportRefused, match=f"row r: .*{fault}"):
        first_pass(row)


def test_weights_that_trl_advises() -> None:
    # 30 good, 60 bad: w * 30 / 60 in [1, 1.33] gives w in [2, 2.66].
    assert desirable_weight_range(30, 60) == pytest.approx((2.0, 2.66))


@given(st.sets(st.text(min_size=1), min_size=2, max_size=40))
def test_every_other_pair_stands_once_between_the_two_rows_of_a_pair(pairs: set[str]) -> None:
    order = sorted((place(pair, label), pair) for pair in pairs for label in (True, False))
    names = [pair for _, pair in order]
    for start in range(len(pairs) + 1):
        assert set(names[start : start + len(pairs)]) == pairs


QUESTIONS = st.sampled_from(["Why?", "When?", "Who?", "Where?"])


@given(
    st.lists(st.tuples(QUESTIONS, st.sampled_from("abcd"), st.sampled_from("efgh")), min_size=1),
    st.integers(1, 8),
)
def test_answers_of_a_prompt_with_several_pairs_stand_evenly(
    pairs: list[tuple[str, str, str]], cut: int
) -> None:
    rows = [
        pair_row(f"{i}", good, bad, messages=[{"role": "user", "content": question}])
        for i, (question, good, bad) in enumerate(pairs)
    ]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for part in both_passes(rows[:cut], rows[cut:]):
        for row in part.rows:
            places[row["prompt"][0]["content"]].append(row["order"])
    for around in map(sorted, places.values()):
        gaps = [b - a for a, b in pairwise([*around, around[0] + 2**ORDER_BITS])]
        assert min(gaps) >= 2**ORDER_BITS // len(around)


def test_a_prompt_with_one_pair_keeps_its_places() -> None:
    (part,) = both_passes([pair_row("r", "a", "b")])
    assert [row["order"] for row in part.rows] == [place("r", True), place("r", False)]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("defa")), min_size=1, max_size=8),
    st.integers(1, 8),
)
def test_how_rows_are_cut_into_parts_changes_nothing(
    answers: list[tuple[str, str]], cut: int
) -> None:
    rows = [pair_row(str(i), *pair) for i, pair in enumerate(answers)]

    def outcome(*parts: list[Row]) -> object:
        done = both_passes(*parts)
        seen = [row for part in done for row in part.rows]
        rejected = sum(len(part.rejects) for part in done)
        assert len(seen) + rejected == 2 * len(rows)
        texts = [row["completion"][0]["content"] for row in seen]
        assert len(set(texts)) == len(texts)
        return sorted(row["row_id"] for row in seen)

    assert outcome(rows) == outcome(rows[cut:], rows[:cut])
