"""Text on a page: escaped, nothing hidden, nothing lost but what is said to be cut."""

import unicodedata
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.text import cut, fitted, label, name, quote, visible
from tests.hostile import BROKEN, TEXTS
from tests.pipeline.report.page_reader import PageReader

ANY = st.text(st.characters(codec=None)) | st.sampled_from([*TEXTS, *BROKEN])


@given(ANY)
def test_a_quote_is_one_element_and_its_text(text: str) -> None:
    read = PageReader(quote(text, 10**6))
    assert (read.names, read.unclosed) == (["span"], [])
    assert "".join(read.parts.values()) == visible(text.strip())


@given(ANY)
def test_nothing_unseen_is_left(text: str) -> None:
    hidden = {"Cc", "Cs"}
    left = [c for c in visible(text) if unicodedata.category(c) in hidden and c not in "\n\t"]
    assert left == []
    assert not set(visible(text)) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_what_is_seen_stays(text: str) -> None:
    assert unescape(name(text[:80])).removeprefix("<bdi>").removesuffix("</bdi>") == text[:80]


def test_unseen_characters_are_named() -> None:
    assert visible("a\u202eb\x00") == "a[U+202E]b[U+0000]"
    assert visible("\U0001f469\u200d\U0001f52c a\u200db") == "\U0001f469\u200d\U0001f52c a[U+200D]b"
    assert visible("two\r\nlines\t.") == "two\nlines\t."


@given(ANY, st.integers(1, 50))
def test_what_is_cut_is_counted(text: str, limit: int) -> None:
    shown = cut(text, limit)
    if len(text) > limit:
        assert shown == f"{text[:limit]} … {len(text) - limit:,} more characters"
    else:
        assert shown == text


@given(ANY, st.integers(2, 30))
def test_a_fitted_name_is_cut_between_characters(text: str, columns: int) -> None:
    shown = fitted(text, columns)
    assert len(shown) <= columns
    assert label(text).startswith(shown.removesuffix("…"))


@given(ANY)
def test_a_label_is_one_short_line(text: str) -> None:
    assert len(label(text, 24)) <= 24
    assert "\n" not in label(text)
