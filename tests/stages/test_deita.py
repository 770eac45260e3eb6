"""deita as a stage: its grades, and which rows stay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.engines.scripted import ScriptedGenerator
from pipeline.runtime.contract import check_survivors, project, settle
from schemas.batch import Batch, Row
from schemas.errors import InputError
from schemas.ids import digest
from schemas.models import Failure, LabelRequest
from schemas.stage import Decision
from stages._deita_grades import turns_of
from stages.deita import STAGE, Config, run
from tests.preference_rows import batch_for, pair_row
from tests.rows import table_of
from tests.support import FakeContext, run_pass

Labels = Callable[[LabelRequest], list[float] | Failure]


def config(**values: Any) -> Config:
    return Config.model_validate({"model": "judge", **values})


def sure_of(grade: int) -> list[float]:
    return [float(label == grade) for label in range(1, 7)]


def grades(complexity: Mapping[str, int], quality: Mapping[str, int]) -> Labels:
    """A judge by the texts that it is shown: of quality by the answer, else by the instruction."""

    def labels(request: LabelRequest) -> list[float]:
        assert request.labels == ("1", "2", "3", "4", "5", "6")
        text = request.prompt.text or ""
        known = quality if "[Answer]" in text else complexity
        return sure_of(next(grade for words, grade in known.items() if words in text))

    return labels


def context(labels: Labels) -> FakeContext:
    return FakeContext({"judge": ScriptedGenerator(labels=labels)}, stage="deita")


def row(number: int, embedding: Sequence[float] = (1.0, 0.0), **columns: Any) -> Row:
    asked = [{"role": "user", "content": f"Ask {number}."}]
    pair = pair_row(digest("row", number), f"Answer {number}.", "no", messages=asked)
    return {**pair, "embedding": list(embedding), **columns}


def graded(rows: Sequence[Row], labels: Labels, **values: Any) -> Batch:
    return run(batch_for(STAGE, rows), config(**values), context(labels))


def test_equal_probabilities_are_a_grade_of_three_and_a_half() -> None:
    (only,) = graded([row(1)], lambda _: [1 / 6] * 6).rows
    assert only["complexity_scores"] == pytest.approx([3.5])
    assert only["quality_scores"] == pytest.approx([3.5])
    assert only["deita_score"] == pytest.approx(3.5**2)


def test_a_judge_that_is_sure_of_six_gives_six() -> None:
    (only,) = graded([row(1)], lambda _: sure_of(6)).rows
    assert (only["complexity_scores"], only["quality_scores"]) == ([6.0], [6.0])
    assert only["deita_score"] == 36


def test_only_the_share_among_the_six_counts() -> None:
    (only,) = graded([row(1)], lambda _: [0, 0.01, 0.03, 0, 0, 0]).rows
    assert only["complexity_scores"] == pytest.approx([2.75])


def test_products_are_summed_over_turns() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "Second?"},
    ]
    judge = grades({"First?": 2, "Second?": 3}, {"One.": 4, "Two.": 1})
    (only,) = graded([row(1, messages=turns, chosen="Two.")], judge).rows
    assert (only["complexity_scores"], only["quality_scores"]) == ([2, 3], [4, 1])
    assert only["deita_score"] == 2 * 4 + 3 * 1


def test_each_turn_is_shown_by_itself() -> None:
    seen: list[str] = []

    def labels(request: LabelRequest) -> list[float]:
        seen.append(request.prompt.text or "")
        return sure_of(2)

    turns = [("user", "First?"), ("assistant", "One."), ("user", "Second?")]
    messages = [{"role": role, "content": text} for role, text in turns]
    graded([row(1, messages=messages, chosen="Two.")], labels)
    shown = [{w for w in ("First?", "One.", "Second?", "Two.") if w in text} for text in seen]
    assert shown == [{"First?"}, {"First?", "One."}, {"Second?"}, {"Second?", "Two."}]


def test_what_makes_a_turn() -> None:
    roles = [("user", "a"), ("user", "b"), ("assistant", "c"), ("tool", "t"), ("assistant", "d")]
    messages = [{"role": role, "content": text} for role, text in (*roles, ("user", "e"))]
    assert turns_of({"messages": messages}, "f") == [("a\n\nb", "c\n\nd"), ("e", "f")]


def failing(request: LabelRequest) -> list[float] | Failure:
    if "[Answer]" in (request.prompt.text or ""):
        return Failure(request.request_id, "no_logprobs", "label '4' is not among the likeliest")
    return sure_of(3)


@pytest.mark.parametrize(
    ("labels", "code", "words"),
    [
        (failing, "engine_no_logprobs", "quality of turn 1: label '4'"),
        (lambda _: [0.001] * 6, "judge_low_mass", "complexity of turn 1: "),
        (lambda _: [0.0] * 6, "judge_low_mass", "complexity of turn 1: "),
        (lambda _: [math.nan] * 6, "judge_unreadable", "complexity of turn 1: "),
    ],
)
def test_a_grade_that_cannot_be_had_is_no_three(labels: Labels, code: str, words: str) -> None:
    batch = graded([row(1)], labels)
    assert len(batch) == 0
    (reject,) = batch.rejects
    assert reject.code == code
    assert words in reject.message


@pytest.mark.parametrize(
    "blank", [{"chosen": " \n"}, {"messages": [{"role": "user", "content": ""}]}]
)
def test_a_turn_without_text_is_not_asked_about(blank: dict[str, Any]) -> None:
    batch = graded([row(1, **blank), row(2)], lambda _: sure_of(2))
    assert [r["row_id"] for r in batch.rows] == [digest("row", 2)]
    assert [reject.code for reject in batch.rejects] == ["empty_text"]


def selected(
    rows: Sequence[Row], scores: Mapping[int, int], cuts: Sequence[int] = (), **values: Any
) -> tuple[list[int], dict[int, str], Decision]:
    """Numbers of the rows that stay, best first, the messages of the others, the decision."""
    wanted = config(**values)
    stage = STAGE.fit(wanted)
    judge = context(grades({"Ask": 1}, {f"Answer {n}.": g for n, g in scores.items()}))
    ends = [0, *sorted(cuts), len(rows)]
    table = table_of(stage, wanted, rows)
    drafts = []
    for start, end in pairwise(ends):
        part = table.slice(start, end - start)
        assert stage.run is not None
        drafts.append(settle(part, stage.run(Batch(project(part, stage)), wanted, judge), stage))
    batches, decision = run_pass(stage, wanted, drafts, judge)
    for draft, after in zip(drafts, batches, strict=True):
        check_survivors(draft, after, stage)
    numbers = {digest("row", n): n for n in range(100)}
    kept = sorted((r for b in batches for r in b.rows), key=lambda r: -r["deita_score"])
    rejects = {numbers[r.row_id]: f"{r.code}: {r.message}" for b in batches for r in b.rejects}
    return [numbers[r["row_id"]] for r in kept], rejects, decision


def turned(degrees: float) -> list[float]:
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def test_of_two_equal_embeddings_the_better_row_stays() -> None:
    kept, rejects, decision = selected([row(1), row(2)], {1: 3, 2: 5})
    assert kept == [2]
    assert rejects[1].startswith(f"too_similar: its cosine with row {digest('row', 2)} is 1.0")
    assert decision.figures["too_similar"] == 1


def test_a_cosine_at_the_limit_is_not_above_it() -> None:
    near = [0.9, math.sqrt(0.19)]
    kept, _, _ = selected([row(1, [1.0, 0.0]), row(2, near)], {1: 5, 2: 3})
    assert kept == [1, 2]
    kept, _, _ = selected([row(1, [1.0, 0.0]), row(2, near)], {1: 5, 2: 3}, max_cosine=0.8999)
    assert kept == [1]


def test_a_row_is_compared_with_kept_rows_only() -> None:
    # 2 is like 1 and 3 is like 2, but 3 is unlike 1: with 2 gone it stays.
    rows = [row(n, turned(angle)) for n, angle in ((1, 0), (2, 20), (3, 40))]
    kept, rejects, _ = selected(rows, {1: 6, 2: 5, 3: 4})
    assert kept == [1, 3]
    assert digest("row", 1) in rejects[2]


def test_it_stops_when_enough_are_kept() -> None:
    rows = [row(n, turned(60 * n)) for n in range(1, 6)]
    kept, rejects, decision = selected(rows, {1: 2, 2: 6, 3: 4, 4: 5, 5: 1}, keep=3)
    assert kept == [2, 4, 3]
    assert "deita_score 2 comes after the rows that stay, the last of them with 4" in rejects[1]
    assert set(rejects) == {1, 5}
    assert decision.figures["examined"] == 3
    assert decision.notes == ()


def test_fewer_unlike_rows_than_wanted_is_said() -> None:
    rows = [row(1), row(2), row(3, turned(90))]
    kept, _, decision = selected(rows, {1: 6, 2: 5, 3: 4}, keep=3)
    assert kept == [1, 3]
    assert any("3 rows were to stay and 2 do" in note for note in decision.notes)


def test_more_wanted_than_there_are_is_said() -> None:
    kept, rejects, decision = selected([row(1)], {1: 6}, keep=9)
    assert (kept, rejects) == ([1], {})
    assert "9" in decision.notes[0]


def test_all_rows_equal_leave_the_one_of_smallest_id() -> None:
    kept, rejects, decision = selected([row(n) for n in range(6)], dict.fromkeys(range(6), 4))
    assert [digest("row", n) for n in kept] == [min(digest("row", n) for n in range(6))]
    assert len(rejects) == 5
    assert decision.figures["length_rank_correlation"] is None


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 12)), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 10), max_size=2),
    st.sampled_from((None, 2, 0.5)),
)
def test_neither_order_nor_parts_matter(
    drawn: list[tuple[int, int]], random: Any, cuts: list[int], keep: float | None
) -> None:
    rows = [row(n, turned(15 * angle)) for n, (_, angle) in enumerate(drawn)]
    scores = {n: score for n, (score, _) in enumerate(drawn)}
    whole = selected(rows, scores, keep=keep)
    mixed = random.sample(rows, len(rows))
    other = selected(mixed, scores, [min(cut, len(rows)) for cut in cuts], keep=keep)
    assert set(other[0]) == set(whole[0])
    assert (other[1], other[2].figures) == (whole[1], whole[2].figures)


def test_longer_answers_that_score_higher_are_seen() -> None:
    rows = [row(n, turned(30 * n), chosen=f"Answer {n}." + "x" * n) for n in range(1, 6)]
    _, _, decision = selected(rows, {n: n for n in range(1, 6)})
    assert decision.figures["length_rank_correlation"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("embedding", "code"),
    [([], "no_embedding"), ([math.nan, 1.0], "not_finite"), ([0.0, 0.0], "zero_embedding")],
)
def test_embeddings_that_say_nothing(embedding: list[float], code: str) -> None:
    kept, rejects, decision = selected([row(1, embedding), row(2)], {1: 6, 2: 3}, keep=0.5)
    assert kept == [2]
    assert rejects[1].startswith(f"{code}: `embedding` ")
    assert decision.figures["rows"] == 1


def test_embeddings_of_two_models_are_refused() -> None:
    with pytest.raises(InputError, match="deita: the rows have vectors of 1 and of 2 numbers"):
        selected([row(1, [1.0]), row(2)], {1: 2, 2: 2})


@pytest.mark.parametrize("answer", ["chosen", "rejected", "answer"])
def test_it_reads_the_answer_that_is_named(answer: str) -> None:
    fitted = STAGE.fit(config(answer=answer))
    assert [column.name for column in fitted.reads] == ["messages", answer, "embedding"]


@pytest.mark.parametrize("wrong", [{"max_cosine": 0}, {"max_cosine": 1.1}, {"keep": 0}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)


def test_it_needs_label_probabilities() -> None:
    (need,) = STAGE.needs(config())
    assert (need.role, need.capabilities) == ("judge", {"label_probs"})
