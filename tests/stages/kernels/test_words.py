from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.kernels.texts import buffers_of
from stages.kernels.words import Words, character_table, most_words, word_hashes, words_of_texts

TEXTS = st.lists(st.text(alphabet="aBc1 .,_-'éßΣς\n日本か\u0301\u00ad\u200b😀𠀀ﬁ²"), max_size=5)


def split(texts: list[str]) -> tuple[Words, bytes]:
    offsets, data = buffers_of(pa.array(texts, type=pa.large_string()))
    return words_of_texts(data, offsets[:-1], offsets[1:], character_table()), bytes(data)


def folded(words: Words) -> list[list[str]]:
    """The words of each text as they are compared."""
    all_words = [
        words.codes[a:b].astype("<u4").tobytes().decode("utf-32-le")
        for a, b in zip(words.starts, words.starts[1:], strict=False)
    ]
    return [all_words[a:b] for a, b in zip(words.first, words.first[1:], strict=False)]


def words_of(text: str) -> list[str]:
    return folded(split([text])[0])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is 2+2?", ["what", "is", "2", "2"]),
        ("  _It's_ **NOT**\tso… ", ["it", "s", "not", "so"]),
        ("Café, cafe\u0301, CAFÉ", ["cafe", "cafe", "cafe"]),
        ("３ ｋｍ²", ["3", "km2"]),
        ("ΟΔΟΣ οδος", ["οδοσ", "οδοσ"]),
        ("日本語です", ["日", "本", "語", "で", "す"]),
        ("a日b", ["a", "日", "b"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zero", "width"]),
        ("한국어 Привет", ["한국어", "привет"]),
        ("𠀀𠀁 😀x", ["𠀀", "𠀁", "x"]),
        ("", []),
        (" \n.,;", []),
    ],
)
def test_words_are_what_is_left_of_spelling(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_in_ascii_words_are_runs_of_letters_and_digits(text: str) -> None:
    assert words_of(text) == re.findall("[a-z0-9]+", text.lower())


@given(TEXTS)
def test_texts_are_split_one_by_one_and_their_places_kept(texts: list[str]) -> None:
    words, data = split(texts)
    assert folded(words) == [words_of(text) for text in texts]
    for place, word in zip(words.source, chain.from_iterable(folded(words)), strict=True):
        assert words_of(data[place[0] : place[1]].decode()) == [word]


@given(TEXTS)
def test_equal_words_have_equal_hashes_and_others_not(texts: list[str]) -> None:
    words, _ = split(texts)
    pairs = set(zip(chain.from_iterable(folded(words)), words.hashes.tolist(), strict=True))
    assert len({word for word, _ in pairs}) == len({number for _, number in pairs}) == len(pairs)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_utf8_do_no_harm(raw: bytes) -> None:
    data = np.frombuffer(raw + b"ab", dtype=np.uint8)
    out = np.zeros(most_words(len(raw)), dtype=np.uint64)
    n_words = word_hashes(data, 0, len(raw), character_table(), out)
    words = words_of_texts(data, np.array([0]), np.array([len(raw)]), character_table())
    assert n_words == len(words.hashes) <= len(out)
    assert (words.source <= len(raw)).all()


def test_characters_may_be_made_letters() -> None:
    table = character_table("_")
    data = np.frombuffer(b"get_name", dtype=np.uint8)
    assert len(words_of_texts(data, np.array([0]), np.array([8]), table).hashes) == 1
    assert words_of("get_name") == ["get", "name"]
