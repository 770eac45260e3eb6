"""Normalised texts and their hashes, held to Python's own `split` and to XXH64's reference."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.kernels.texts import buffers_of, may_lack_nfc, normalised, with_single_spaces
from stages.kernels.xxh64 import fingerprints

SPACES = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
TEXTS = st.lists(st.text(st.sampled_from(SPACES + "ab\u00e9\u2003\u4e2d\U0001f600\x1b\x7f")))


def arrow(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@given(TEXTS)
@example([f"a{space}b" for space in SPACES])
def test_white_space_is_what_python_splits_at(texts: list[str]) -> None:
    starts, data = with_single_spaces(*buffers_of(arrow(texts)))
    folded = [bytes(data[a:b]).decode() for a, b in itertools.pairwise(starts)]
    assert folded == [" ".join(text.split()) for text in texts]


def test_a_slice_of_an_array_has_its_own_texts() -> None:
    part = arrow(["no", "a  b", "c", "no"]).slice(1, 2)
    starts, data = with_single_spaces(*buffers_of(part))
    assert bytes(data[: starts[-1]]) == b"a bc"


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_texts_get_a_unicode_form_and_lower_case(form: str) -> None:
    texts = [
        "Plain ASCII",
        "Cafe\u0301",
        "\ufb01ne",
        "\u0397\u039b\u0399\u039f",
        "",
        "\u4e2d\u6587",
    ]
    expected = [unicodedata.normalize(form, text) for text in texts]
    assert normalised(arrow(texts), form, lowercase=False).to_pylist() == expected
    lower = [text.lower() for text in expected]
    assert normalised(arrow(texts), form, lowercase=True).to_pylist() == lower


def test_no_character_is_wrongly_taken_for_one_that_nfc_leaves_alone() -> None:
    """Alone, and after what others would compose with: a letter, a Hangul initial, an arrow."""
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    flags = may_lack_nfc(arrow([chr(code) for code in codes])).to_pylist()
    inert = [chr(code) for code, flag in zip(codes, flags, strict=True) if not flag]
    assert {"a", "\u00e9", "\u2019", "\u4e2d", "\U0001f600"} <= set(inert)
    for character in inert:
        assert unicodedata.combining(character) == 0
        for text in (character, "a" + character, "\u1100" + character, "\u2190" + character):
            assert unicodedata.is_normalized("NFC", text)


@given(
    st.lists(st.text("ab\u00e9\u0301\u0327\u2000\u2019\u212b\u4e2d\u3099\u304b\U0001f600\uf900"))
)
def test_the_form_is_the_one_of_python(texts: list[str]) -> None:
    expected = [unicodedata.normalize("NFC", text) for text in texts]
    assert normalised(arrow(texts), "NFC", lowercase=False).to_pylist() == expected


def test_texts_can_be_left_as_they_are() -> None:
    texts = ["Plain", "Cafe\u0301"]
    assert normalised(arrow(texts), "none", lowercase=False).to_pylist() == texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0xEF46DB3751D8E999), ("a", 0xD24EC4F1A98C6E5B), ("abc", 0x44BC2CF5AD770999)],
)
def test_the_hash_is_xxh64(text: str, expected: int) -> None:
    assert fingerprints(*buffers_of(arrow([text])))[0, 0] == expected


@given(st.binary(max_size=200), st.integers(0, 9))
def test_the_hash_is_that_of_the_reference(data: bytes, lead: int) -> None:
    xxhash = pytest.importorskip("xxhash")
    offsets = np.array([lead, lead + len(data)])
    hashed = fingerprints(offsets, np.frombuffer(b"x" * lead + data + b"y", np.uint8))
    assert list(hashed[0]) == [xxhash.xxh64_intdigest(data, seed) for seed in (0, 1)]
