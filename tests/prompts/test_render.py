"""Our own prompt texts are filled in strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.render import prompt_hash, prompt_names, render


def test_every_text_has_a_hash_of_its_own() -> None:
    hashes = {prompt_hash(name) for name in prompt_names()}
    assert len(hashes) == len(prompt_names()) > 0


def test_missing_and_unused_values_are_errors() -> None:
    with pytest.raises(KeyError, match=r"uses \['conversation', 'first', 'second'\]"):
        render("judge_pairwise", first="a", second="b")
    with pytest.raises(KeyError, match="but was given"):
        render("magpie_follow_up", extra="x")


def test_an_unknown_text_is_named_with_those_that_exist() -> None:
    with pytest.raises(KeyError, match=r"no prompt text `nope`; known: .*judge_pairwise"):
        prompt_hash("nope")


@given(st.text())
def test_values_go_in_verbatim(value: str) -> None:
    text = render("judge_pairwise", conversation="c", first=value, second="{{ first }}")
    assert f"[Answer A]\n{value}\n" in text
    assert "{{ first }}" in text
