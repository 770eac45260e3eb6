"""Word problems with worked answers, in the layout of GSM8K: `python -m tests.word_problems`.

Small numbers, for a small model. Made by templates with a fixed seed, so that the file under
configs/data can be made again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

ROWS = 60
SEED = 20
NAMES = ("Ada", "Bela", "Chen", "Dara", "Emil", "Fatima", "Goro", "Hana")
THINGS = ("apples", "books", "coins", "marbles", "pencils", "stamps")

Problem = tuple[str, str, int]
"""Question, work, answer."""


def gives_away(draw: random.Random, name: str, things: str) -> Problem:
    had, gave = draw.randint(6, 20), draw.randint(1, 5)
    question = f"{name} has {had} {things} and gives {gave} of them away. How many are left?"
    return question, f"{had} - {gave} = {had - gave} {things} are left.", had - gave


def buys_boxes(draw: random.Random, name: str, things: str) -> Problem:
    boxes, each, extra = draw.randint(2, 5), draw.randint(2, 6), draw.randint(1, 5)
    total = boxes * each + extra
    question = (
        f"{name} buys {boxes} boxes of {each} {things} and finds {extra} more. "
        f"How many {things} does {name} have?"
    )
    work = f"{boxes} * {each} = {boxes * each}, and {boxes * each} + {extra} = {total}."
    return question, work, total


def shares(draw: random.Random, name: str, things: str) -> Problem:
    friends, each = draw.randint(2, 5), draw.randint(2, 6)
    question = (
        f"{name} shares {friends * each} {things} equally among {friends} friends. "
        "How many does each friend get?"
    )
    return question, f"{friends * each} / {friends} = {each}.", each


def sells(draw: random.Random, name: str, things: str) -> Problem:
    price, number = draw.randint(2, 5), 10 * draw.randint(1, 60)
    question = f"A shop sells {number} {things} at ${price} each. How many dollars does it take in?"
    return question, f"{number} * {price} = {number * price} dollars.", number * price


KINDS: tuple[Callable[[random.Random, str, str], Problem], ...] = (
    gives_away,
    buys_boxes,
    shares,
    sells,
)


def lines() -> list[str]:
    """The file, line by line."""
    draw = random.Random(SEED)
    made: dict[str, str] = {}
    while len(made) < ROWS:
        kind = KINDS[len(made) % len(KINDS)]
        question, work, answer = kind(draw, draw.choice(NAMES), draw.choice(THINGS))
        made[question] = f"{work}\n#### {answer:,}"
    return [json.dumps({"question": q, "answer": a}) for q, a in made.items()]


if __name__ == "__main__":
    print("\n".join(lines()))
