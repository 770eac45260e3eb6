from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages._prose import STOP_WORDS, unlike_prose

PLAIN = "We have to be at the house with the red roof and wait. "


def fault(text: str, min_words: int = 1, stop_words: tuple[str, ...] = ()) -> str | None:
    return unlike_prose(pa.array([text], type=pa.large_string()), min_words, stop_words).get(0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN, None),
        ("a b c d ee", "mean length of a word: 1.20, less than 3.0"),
        ("abc def ghi", None),
        ("incomprehensibilities unquestionably", "mean length of a word: 17.50, more than 10.0"),
        # One `#` for nine words is more than a tenth; for ten it is not.
        ("# " + "word " * 9, "`#` for each word: 0.11, more than 0.1"),
        ("# " + "word " * 10, None),
        ("#hash " + "word " * 8, "`#` for each word: 0.11, more than 0.1"),
        ("wait... " + "word " * 8, "ellipses for each word: 0.11, more than 0.1"),
        ("wait…… " + "word " * 18, "ellipses for each word: 0.11, more than 0.1"),
        ("wait..... " + "word " * 9, None),
        ("- word\n* word\n• word", "lines that start with a bullet: 1.00, more than 0.9"),
        ("- word\n" * 9 + "word", None),
        ("**word** here\n- word", None),
        ("-word\n-word", None),
        ("word word word word word…\n" + "word\n" * 6, None),
        (
            "word word word word word…  \n\n" + "more words come here.\n" * 2,
            "lines that end with an ellipsis: 0.33, more than 0.3",
        ),
        ("1000 2000 word word", "words with a letter: 0.50, less than 0.8"),
        ("word word word word 2000", None),
        ("word -- word & word 2000 word", None),
        ("", None),
        ("!!! ---", None),
    ],
)
def test_limits_by_hand(text: str, said: str | None) -> None:
    assert fault(text) == said


def test_two_different_stop_words_are_enough() -> None:
    said = "stop words: 1, fewer than 2"
    assert fault("The house stands.", stop_words=STOP_WORDS) == said
    assert fault("The house, THE roof, another door.", stop_words=STOP_WORDS) == said
    assert fault("The house, with a roof.", stop_words=STOP_WORDS) is None
    assert fault("Das Haus hat ein Dach.", stop_words=()) is None


def test_short_texts_are_left_alone() -> None:
    assert fault("a b c", min_words=4) is None
    assert fault("a b c", min_words=3) is not None


def test_the_first_limit_that_is_broken_is_told() -> None:
    assert (fault("# # # a 1") or "").startswith("mean length")


@given(st.lists(st.text("ab# .…-\n1é公"), max_size=5))
def test_a_text_is_measured_by_itself(texts: list[str]) -> None:
    together = unlike_prose(pa.array(texts, type=pa.large_string()), 1, STOP_WORDS)
    assert together == {
        place: said for place, text in enumerate(texts) if (said := fault(text, 1, STOP_WORDS))
    }
