"""Rules that see what a text is like."""

import pytest

from pipeline.audit.factors import FACTORS, is_refusal, is_unfinished


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("one two", {"length": 7}),
        ("a\n\nb\n\nc.", {"paragraphs": 2}),
        ("# A\n## B\n#no", {"headings": 2}),
        ("- a\n* b\n1. c\n2) d\n-e", {"list items": 4}),
        ("**a** and *b*, not 2*3*4", {"bold or italics": 2}),
        ("```\nx\n```", {"code blocks": 1}),
        ("|a|b|\n|-|-|", {"tables": 2}),
        ("see https://a.b and http://c", {"links": 2}),
        ("3 apples, 1,000.5 pears, x2", {"numbers": 2}),
        ("Why? Who?", {"questions": 2}),
        ("Hey! Ho!", {"exclamations": 2}),
        ("It may, perhaps, seem so. May.", {"hedges": 4}),
        ("Sorry, I apologize.", {"apologies": 2}),
        ("a b a b", {"repeated words": 0.5}),
    ],
)
def test_factors_count(text: str, counts: dict[str, float]) -> None:
    assert {name: FACTORS[name](text) for name in counts} == counts


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I\u2019m sorry, but I can\u2019t do it.",
        "Unfortunately, I cannot provide that.",
        "I am not able to do this; I can't help with it.",
        "抱歉，我无法回答。",
    ],
)
def test_refusals_are_seen(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text", ["", "Sure, here it is.", "You can't help it.", "x" * 300 + " I cannot help with that."]
)
def test_answers_are_no_refusals(text: str) -> None:
    assert not is_refusal(text)


def test_a_text_that_stops_short_is_unfinished() -> None:
    assert is_unfinished("and then we")
    assert is_unfinished("a, b,")
    assert not is_unfinished("Done.\n")
    assert not is_unfinished("```\nx\n```")


def test_no_factor_fails_on_odd_texts() -> None:
    for text in ("", "\0", "\ud800", "\u202e" * 9, "*" * 5000, "| " * 5000, "1." * 5000):
        assert all(factor(text) >= 0 for factor in FACTORS.values())
