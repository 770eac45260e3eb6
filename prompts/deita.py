"""The prompts that grade an instruction by its complexity and an answer by its quality.

After deita (Liu et al., 2024, arXiv 2312.15685; code: hkust-nlp/deita), whose grades from 1 to 6
come from two scorers trained for them. The wording is ours, in `prompts/text/deita_*.j2`, and made
for any chat model.
"""

from __future__ import annotations

from prompts.judge_verdict import Question
from prompts.render import render

PROMPTS = ("deita_complexity", "deita_quality", "deita_verdict")
GRADES = range(1, 7)


def complexity(instruction: str) -> Question:
    """How much an instruction demands; a verdict is its grade."""
    return _question(render(PROMPTS[0], instruction=instruction.strip()))


def quality(instruction: str, answer: str) -> Question:
    """How good the answer to an instruction is; a verdict is its grade."""
    task = render(PROMPTS[1], instruction=instruction.strip(), answer=answer.strip())
    return _question(task)


def _question(task: str) -> Question:
    labels, values = tuple(map(str, GRADES)), tuple((float(grade),) for grade in GRADES)
    return Question(task.strip(), render(PROMPTS[2]).strip(), labels, values)
