from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages._repetition import repetitions


def repetition(text: str, min_words: int = 1) -> str | None:
    return repetitions(pa.array([text], type=pa.large_string()), min_words).get(0)


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        # 2 of 4 lines stood earlier.
        ("a b\nc d\na b\nc d", "repeated lines: 0.50, more than 0.30"),
        # 1 of 4 lines is within the limit, its 8 of 26 characters are not.
        ("aaaaaaaa\nb c d\ne f g\naaaaaaaa", "characters in repeated lines: 0.31, more than 0.20"),
        # "a b" three times: 6 of 12 characters.
        ("a b c d a b e f a b g h", "characters in the most frequent 2-gram: 0.50, more than 0.20"),
        # "a b c" twice: 6 of 30 characters, and "a b" 4 of 30.
        (
            " ".join("abcdefghijklmnopqrstuvwxyabcde"),
            "characters in the most frequent 3-gram: 0.20, more than 0.18",
        ),
        # Three runs of five letters come twice: 15 of 50 repeated; the top 4-gram has 8 of 50.
        (
            " ".join("abcde1fghij2klmnopqrstuvwxyz3456abcde7fghij8klmno9"),
            "characters in repeated 5-grams: 0.30, more than 0.15",
        ),
        # "a b" four times is 8 of 46 letters; the longer pair comes twice only.
        ("a b c a b d a b e a b f xxxxxxxx yyyyyyyy g xxxxxxxx yyyyyyyy h", None),
        (" ".join("abcdefghijklmnopqrstuvwxyz"), None),
        ("a b", None),
        ("", None),
    ],
)
def test_repetition_by_hand(text: str, measure: str | None) -> None:
    assert repetition(text) == measure


def test_paragraphs_and_scripts_without_spaces() -> None:
    paragraph = "one two\nthree four"
    assert repetition(f"{paragraph}\n\nfive six\nseven eight\nnine\nten\n\n{paragraph}") == (
        "characters in repeated lines: 0.28, more than 0.20"
    )
    assert repetition("我们去公园" * 3) == (
        "characters in the most frequent 2-gram: 0.40, more than 0.20"
    )


def test_short_texts_are_not_measured() -> None:
    assert repetition("no no no no", min_words=5) is None
    assert repetition("no no no no", min_words=4) is not None


@given(st.text())
def test_any_text_can_be_measured(text: str) -> None:
    seen = repetition(text)
    assert seen is None or ", more than 0." in seen
