"""Values of a row on a terminal: short, aligned, and harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.cli.row_text import Letters, folded, short, value_lines, visible

WIDTH = 40


@given(st.text(max_size=400), st.integers(20, 80), st.integers(1, 4))
def test_no_line_is_too_wide_and_none_too_many(text: str, width: int, lines: int) -> None:
    found = folded(text, width, lines)
    assert 1 <= len(found) <= lines
    assert all(cell_len(line) <= width for line in found)


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=300))
def test_unfolded_a_text_is_whole(text: str) -> None:
    assert "".join("".join(folded(text, WIDTH, None)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "dangerous",
    ["\x1b[31m", "\x07", "\r", "\x9b2J", "\u202e", "\u2066", "\u200b", "\x00", "\u2028", "\ud800"],
)
def test_nothing_in_a_text_moves_the_terminal(dangerous: str) -> None:
    shown = visible(f"a{dangerous}b\nc\td")
    assert dangerous not in shown and "\\u" in shown
    assert shown.startswith("a") and shown.endswith("b\nc    d")
    (line,) = folded(f"x{dangerous}y", WIDTH, 3)
    assert dangerous not in line


def test_a_long_text_says_how_much_follows() -> None:
    found = folded("word " * 100, WIDTH, 2)
    assert len(found) == 2 and found[1].endswith("characters more")
    assert "word" in found[1]


RESPONSES = [
    {"response_id": "x1", "text": "Yes.", "model": "m", "finish_reason": "stop", "n_tokens": 2},
    {"response_id": "x2", "text": "No.", "model": "m", "finish_reason": "length", "n_tokens": 9},
]


def test_answers_have_letters_by_which_scores_and_judgements_name_them() -> None:
    letters = Letters()

    def lines(name: str, value: list[dict[str, object]]) -> list[str]:
        return value_lines(name, value, 80, 3, letters)

    assert lines("responses", RESPONSES) == [  # type: ignore[arg-type] # values of one kind
        "A  [2 tokens, m] Yes.",
        "B  [9 tokens, length, m] No.",
    ]
    scores = [
        {"response_id": "x2", "labeller": "judge", "score": 0.25},
        {"response_id": "x1", "labeller": "judge", "score": 0.75},
        {"response_id": "x1", "labeller": "logit", "score": -3.0},
    ]
    assert lines("scores", scores) == ["judge: B 0.25   A 0.75", "logit: A -3"]
    pair = {"labeller": "judge", "response_a": "x1", "response_b": "x2", "p_a": 0.5}
    judged = [{**pair, "consistent": False}, {**pair, "consistent": True, "p_a": 0.875}]
    assert lines("judgements", judged) == ["judge: A>B 0.50?   A>B 0.88"]
    voted = [{**pair, "p_a": None, "n_votes": 2, "n_a": 2.0, "agree": True}]
    assert lines("preferences", voted) == ["judge: A>B -"]
    verdict = {"topic": "pairwise", "shown": ["x2", "x1"], "rationale": None}
    said = [
        {**verdict, "raw": '{"A": 0.1, "B": 0.875}'},
        {**verdict, "raw": "I take\nB", "rationale": "it is short"},
    ]
    assert lines("verdicts", said) == [
        "pairwise B A: P(A) 0.10   P(B) 0.88",
        "pairwise B A: I take B because it is short",
    ]


def test_many_answers_still_have_names() -> None:
    letters = Letters()
    names = [letters[str(n)] for n in range(30)]
    assert names[:3] == ["A", "B", "C"] and len(set(names)) == 30


def test_lists_and_numbers() -> None:
    letters = Letters()
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert value_lines("messages", turns, 80, 3, letters) == ["user: Hi", "assistant: Hello"]
    long = [{"name": "n", "value": n} for n in range(9)]
    assert value_lines("other", long, 80, 3, letters)[-1] == "… 5 more"
    assert len(value_lines("other", long, 80, None, letters)) == 9
    assert value_lines("embedding", [0.123456] * 384, 80, 3, letters) == [
        "384 numbers: 0.1235, 0.1235, 0.1235, …"
    ]
    assert short({"a": [1, 2.5], "b": None}) == "{a: [1, 2.5], b: null}"
    assert short(True) == "true"
