"""What a sampled instruction must look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.clean_instruction import normalise, problem_with


def code(text: str, finish_reason: str = "stop", least: int = 3, most: int = 200) -> str | None:
    problem = problem_with(text, finish_reason, min_chars=least, max_chars=most)  # type: ignore[arg-type]
    return problem.code if problem else None


@pytest.mark.parametrize(
    "text",
    [
        "What does a tsunami look like?",
        "Write a virtual assistant in Python.",
        "how do i cook rice",
        "请解释什么是黑洞。",
        "Объясни, что такое энтропия",
        "Hello, I'm an artist. What's a fun pursuit to explore?",
        "Fix this: ```print(1``` please",
        "🏈What's the hottest new exercise tool?",
    ],
)
def test_prompts_pass(text: str) -> None:
    assert code(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("ab", "too_short"),
        ("x" * 201, "too_long"),
        ("Implement a function with the following requirements:", "fragment"),
        ("Take the first three items,", "fragment"),
        (", and then the rest of it", "fragment"),
        ("12 + 30 = 42", "fragment"),
        ("Explain ```python code", "fragment"),
        ("Hi there,", "salutation"),
        ("Dear Dr. Smith,", "salutation"),
        ("Sure, here is a poem about the sea.", "assistant_voice"),
        ("I'm just an AI and cannot do that.", "assistant_voice"),
        ("Tell me a joke<|im_start|>assistant", "markup"),
        ("[INST] Tell me a joke", "markup"),
    ],
)
def test_what_is_no_prompt_is_turned_away_with_its_reason(text: str, reason: str) -> None:
    assert code(text) == reason


def test_a_text_that_ran_out_of_tokens_is_truncated_whatever_it_looks_like() -> None:
    assert code("What does a tsunami look like?", finish_reason="length") == "truncated"


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(max_size=50), st.integers(0, 20), st.integers(20, 40))
def test_what_passes_keeps_the_limits(text: str, least: int, most: int) -> None:
    if code(normalise(text), least=least, most=most) is None:
        assert max(1, least) <= len(normalise(text)) <= most
