"""Templates that open no answer, end a conversation oddly or take no lone user turn."""

from __future__ import annotations

import pytest

from prompts.chat import TemplateChat
from schemas.errors import InputError
from schemas.models import Message

Q, A = Message("user", "Q"), Message("assistant", "A")

IGNORES_THE_FLAG = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ 'USER: ' + m.content }}"
    "{% else %}{{ ' ASSISTANT: ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
BRACKETS = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + '[/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
EOS_AT_THE_END = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
NO_LONE_USER = (
    "{% if messages[-1].role == 'user' and not add_generation_prompt %}"
    "{{ raise_exception('an answer must follow') }}{% endif %}"
    "{% for m in messages %}{{ '<' + m.role + '>' + m.content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)


def chat(template: str) -> TemplateChat:
    return TemplateChat(template, special_tokens={"</s>": 2}, bos_token=None, eos_token="</s>")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (IGNORES_THE_FLAG, "USER: Q ASSISTANT:"),
        (BRACKETS, "[INST] Q[/INST]"),
        (EOS_AT_THE_END, "<|user|>\nQ<|end|>\n<|assistant|>\n"),
        (NO_LONE_USER, "<user>Q<assistant>"),
    ],
)
def test_a_conversation_ends_where_the_answer_starts(template: str, text: str) -> None:
    assert chat(template).render([Q]).text == text


def test_an_eos_at_the_end_of_a_conversation_is_no_part_of_a_users_header() -> None:
    first = "<|user|>\n"
    dropped = chat(EOS_AT_THE_END).user_turn_prefix(keep_default_system=False)
    assert dropped.text == chat(EOS_AT_THE_END).user_turn_prefix().text == first
    later = chat(EOS_AT_THE_END).user_turn_prefix(history=[Q, A])
    assert later.text == f"{first}Q<|end|>\n<|assistant|>\nA<|end|>\n{first}"


def test_a_prefix_without_a_lone_user_turn() -> None:
    assert chat(NO_LONE_USER).user_turn_prefix().text == "<user>"


def test_a_refusal_of_every_conversation_is_said() -> None:
    with pytest.raises(InputError, match="closed"):
        chat("{{ raise_exception('closed') }}").user_turn_prefix()
