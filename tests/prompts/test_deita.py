import pytest

from prompts.deita import complexity, quality


def test_a_grade_is_the_mean_of_six_digits() -> None:
    question = complexity("Sort a list.")
    assert question.labels == ("1", "2", "3", "4", "5", "6")
    assert question.expected([0.1] * 6) == pytest.approx((3.5,))
    assert question.expected([0, 0, 0, 0, 0, 0.2]) == pytest.approx((6.0,))


def test_the_texts_show_what_is_graded_and_end_on_the_scale() -> None:
    (only,) = complexity("  Sort {{ a }} list.\n").turns()
    assert "Sort {{ a }} list.\n\nWhich grade" in only.content
    (both,) = quality("Sort a list.", "sorted(list)").turns()
    assert both.content.index("Sort a list.") < both.content.index("sorted(list)")
    assert both.content.endswith("from 1 to 6, and nothing else.")
