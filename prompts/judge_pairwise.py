"""The pairwise judge's prompt and how its answer is read.

The judge is asked for one letter, and what counts is the probability it gives to either letter as
its next token, as in AlpacaEval 2 (Dubois et al., 2024, arXiv 2404.04475). Both orders are asked,
after MT-Bench (Zheng et al., 2023, arXiv 2306.05685), and combined by `symmetric`.
"""

from __future__ import annotations

from collections.abc import Sequence

from prompts.render import render
from schemas.models import Message

PROMPT = "judge_pairwise"
LABELS = ("A", "B")


def build(messages: Sequence[Message], first: str, second: str) -> list[Message]:
    """The judge's conversation: one user turn that shows the prompt and both answers."""
    shown = "\n\n".join(f"{message.role}: {message.content.strip()}" for message in messages)
    text = render(PROMPT, conversation=shown, first=first.strip(), second=second.strip())
    return [Message("user", text.strip())]


def prefer_first(probs: Sequence[float]) -> float:
    """P(the answer shown first wins), from the probabilities of `LABELS` in that order.

    Raises:
        ZeroDivisionError: the judge gave no probability to either label; there is no verdict.
    """
    first, second = probs
    return first / (first + second)


def symmetric(first_shown_first: float, second_shown_first: float) -> float:
    """P(the first answer wins), from `prefer_first` of both orders.

    Exchanging the answers exchanges the arguments and gives one minus the result; a judge that
    always prefers what is shown first gives one half.
    """
    difference = (first_shown_first - second_shown_first) / 2
    larger = 0.5 + abs(difference)
    # Subtracting from one is exact above one half: so the two orders add up to one exactly.
    return larger if difference >= 0 else 1 - larger
