from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stages._words import character_kinds, words_of
from stages.kernels.characters import ALONE, BREAK, LETTER, SPACE, SPACED, character, next_word
from stages.kernels.texts import buffers_of


def test_kinds_are_those_of_python() -> None:
    kinds = character_kinds()
    for point in [*range(0x3200), 0x4E00, 0x9FFF, 0xD800, 0xFF10, 0x1D7D8, 0x1F600, 0x10FFFF]:
        text = chr(point)
        assert bool(kinds[point] & SPACE) == text.isspace()
        assert bool(kinds[point] & BREAK) == (len(f"a{text}b".splitlines()) == 2)
        assert bool(kinds[point] & (SPACED | ALONE)) == bool(words_of(text))
        assert bool(kinds[point] & LETTER) == bool(re.match(r"[^\W\d_]", text))


@given(st.text())
def test_characters_are_those_of_python(text: str) -> None:
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    at, found = 0, []
    while at < len(data):
        point, at = character(data, at, len(data))
        found.append(chr(point))
    assert "".join(found) == text


@given(st.binary(max_size=30))
def test_bytes_that_are_no_utf8_are_walked_to_their_end(data: bytes) -> None:
    array, kinds = np.frombuffer(data, dtype=np.uint8), character_kinds()
    at, steps = 0, 0
    while at < len(array):
        point, at = character(array, at, len(array))
        assert 0 <= point < len(kinds)
        steps += 1
    assert at == len(array) and steps <= len(array)


@given(st.lists(st.one_of(st.none(), st.text()), max_size=4), st.integers(0, 2))
def test_words_are_cut_where_python_cuts_them(texts: list[str | None], start: int) -> None:
    array = pa.array(texts, type=pa.large_string()).slice(start)
    offsets, data = buffers_of(array)
    assert len(offsets) == len(array) + 1
    for place, text in enumerate(array.to_pylist()):
        at, end, found = offsets[place], offsets[place + 1], []
        while True:
            first, at, size = next_word(data, at, end, character_kinds())
            if first == end:
                break
            found.append(bytes(data[first:at]).decode())
            assert len(found[-1]) == size
        assert found == words_of(text or "")
