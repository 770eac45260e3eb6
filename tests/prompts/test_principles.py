"""Each principle comes with its opposite."""

import pytest

from prompts.principles import contrast, principle_names, texts_of
from prompts.render import render
from schemas.errors import InputError
from schemas.models import Message


@pytest.mark.parametrize("name", principle_names())
def test_a_principle_and_its_opposite_differ(name: str) -> None:
    under, against = (render(text) for text in texts_of(name))
    assert under != against


def test_the_principle_comes_before_an_own_system_turn() -> None:
    turns = [Message("system", "Speak French."), Message("user", "Hi")]
    under, against = contrast(turns, "helpful")
    assert [message.role for message in under] == ["system", "user"]
    assert under[0].content.endswith("\n\nSpeak French.")
    assert under[1:] == against[1:] == turns[1:]


def test_an_unknown_principle_is_named_with_those_that_exist() -> None:
    with pytest.raises(InputError, match="no principle `evil`; known: harmless, helpful"):
        contrast([], "evil")
