from __future__ import annotations

import pytest

from prompts.goal import goal_text, number, with_goal


@pytest.mark.parametrize(
    ("value", "text"), [(8.0, "8"), (8.5, "8.5"), (0.0, "0"), (-1.0, "-1"), (9.75, "9.75")]
)
def test_scores_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


def test_goals_follow_the_scale_one_a_line() -> None:
    lines = goal_text([("Overall", 8.0), ("Safety", 2.5)], 1, 10).split("\n")
    assert "1 (lowest) to 10 (highest)" in lines[0]
    assert lines[1:] == ["Overall score: 8.", "Safety score: 2.5."]


def test_a_goal_never_changes_the_conversation_it_is_put_before() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert with_goal(messages, "GOAL", "user") == [{"role": "user", "content": "GOAL\n\nHi"}]
    assert with_goal(messages, "GOAL", "system")[1:] == messages
    assert messages == [{"role": "user", "content": "Hi"}]
