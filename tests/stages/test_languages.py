from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages._languages import labels, languages_of
from stages._measures import language_of

TEXTS = [
    "The house stands at the end of the street.",
    "Das Haus steht am Ende der Straße und hat ein rotes Dach.",
    "La maison se trouve au bout de la rue.",
    "THIS IS WRITTEN IN CAPITALS AND MUST BE READ IN SMALL LETTERS",
    "e\u0301te\u0301, composed and not",
    "我们明天去公园散步。",
    "12345 !!",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_says_what_the_library_says(text: str) -> None:
    codes, probabilities = languages_of(pa.array(["other", text], type=pa.large_string()), 1000)
    likeliest = int(probabilities[1].argmax())
    assert (codes[likeliest], pytest.approx(probabilities[1][likeliest], abs=1e-4)) == language_of(
        text
    )


@settings(max_examples=30)
@example(["Aº"])  # no capitals to Python, whose word counts
@given(st.lists(st.text(), max_size=3))
def test_probabilities_come_to_one_and_are_those_of_the_library(texts: list[str]) -> None:
    _, probabilities = languages_of(pa.array(texts, type=pa.large_string()), 1000)
    assert probabilities.shape == (len(texts), len(labels()))
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-4)
    for text, found in zip(texts, probabilities, strict=True):
        assert found.max() == pytest.approx(language_of(text)[1], abs=1e-4)


def test_only_the_start_is_read() -> None:
    text = "The house stands at the end of the street. " + "Das Haus steht am Ende. " * 50
    codes, probabilities = languages_of(pa.array([text], type=pa.large_string()), 42)
    assert codes[int(probabilities[0].argmax())] == "en"
