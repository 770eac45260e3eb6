"""EvalGen's coverage, false failures and alignment, by hand."""

import pytest

from pipeline.audit.criteria import criteria
from pipeline.audit.human import Grade, HumanLabels
from pipeline.audit.pairs import Pair
from tests.pipeline.audit.samples import labels, pair, value

NO = "I cannot help with that."


def figures(ours: list[Pair], human: HumanLabels, line: str) -> list[float | None]:
    section = criteria(labels(ours), human)
    names = ("coverage", "false failures", "alignment")
    return [value(section, line, name).value for name in names]


def test_a_labeller_that_says_what_people_say_is_aligned() -> None:
    pairs = [pair(1.0, prompt="Why?"), pair(0.0, prompt="Who?")]
    assert figures(pairs, HumanLabels(pairs), "label") == [1.0, 0.0, 1.0]


def test_one_that_says_the_opposite_is_not() -> None:
    assert figures([pair(1.0)], HumanLabels([pair(0.0)]), "label") == [0.0, 1.0, 0.0]


def test_a_criterion_that_fails_everything_covers_all_and_is_worth_nothing() -> None:
    ours = [pair(1.0, first=NO, second=f"{NO} Sorry.")]
    line = "rule: does not refuse"
    assert figures(ours, HumanLabels([ours[0]]), line) == [1.0, 1.0, 0.0]


def test_alignment_is_a_harmonic_mean() -> None:
    # Bad: three of four answers refuse. Good: one of two does. 2 * 3/4 * 1/2 / (3/4 + 1/2).
    ours = [pair(None, prompt=f"{i}?", first=NO if i < 4 else "x.") for i in range(6)]
    good = {0: False, 1: False, 2: False, 3: True, 4: False, 5: True}
    human = HumanLabels(grades=[Grade(f"{i}?", ours[i].first, good[i]) for i in range(6)])
    expected = [3 / 4, 1 / 2, pytest.approx(0.6)]
    assert figures(ours, human, "rule: does not refuse") == expected


def test_an_answer_that_wins_and_loses_is_neither_good_nor_bad() -> None:
    people = [pair(1.0, first="a", second="b"), pair(1.0, first="b", second="c")]
    section = criteria(labels(people), HumanLabels(people))
    coverage = value(section, "label", "coverage")
    assert (coverage.n, value(section, "label", "false failures").n) == (1, 1)


def test_what_people_never_found_bad_cannot_be_covered() -> None:
    human = HumanLabels(grades=[Grade("Why?", "one", True)])
    section = criteria(labels([pair()]), human)
    assert value(section, "label", "coverage").unknown == "people find none of its answers bad"
    assert value(section, "label", "alignment").value is None


def test_without_human_labels_of_these_answers_there_is_a_reason() -> None:
    assert "--human" in criteria(labels([pair()]), None).unknown
    other = HumanLabels(grades=[Grade("Who?", "x", True)])
    assert "none of these answers" in criteria(labels([pair()]), other).unknown
