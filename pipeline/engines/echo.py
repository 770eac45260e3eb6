"""What the scripted model `echo` says: plausible rows for a dry run, from the request alone.

As a user it asks about a numbered topic; as an assistant it answers with a number; as a judge it
prefers the higher number. So every stage of a recipe has something to work on, and anyone can
check the outcome by eye.
"""

from __future__ import annotations

import re

from pipeline.engines.plain_chat import USER_OPENS
from schemas.ids import digest
from schemas.models import (
    EmbedRequest,
    GenerateRequest,
    HiddenRequest,
    LabelRequest,
    Prompt,
    RewardRequest,
    ScoreRequest,
)

_NUMBERS = 100_000
_DIMENSIONS = 32
_ANSWER = re.compile(r"Scripted answer (\d+) to:")

_VERBS = ("Explain", "Describe", "Summarise", "Outline", "Compare", "Criticise", "Illustrate")
_FIELDS = ("gardening", "astronomy", "cooking", "sailing", "music", "geology", "chess", "law")
_READERS = ("a child", "an expert", "a friend", "a jury", "a reporter", "a new colleague")
_SIZES = ("three sentences", "one paragraph", "five bullet points", "a short poem", "two lines")


def seen(prompt: Prompt) -> str:
    """The prompt as one text, wherever it will be rendered."""
    if prompt.text is not None:
        return prompt.text
    return "\n".join(message.content for message in prompt.messages)


def echo(request: GenerateRequest) -> str:
    """A question where a user's turn is open, else an answer; different for every seed."""
    structure = request.sampling.structure
    if structure is not None and structure.choices:
        return structure.choices[request.seed % len(structure.choices)]
    text = seen(request.prompt)
    if text.endswith(USER_OPENS):
        return _question(request.seed)
    messages = request.prompt.messages
    tail = (messages[-1].content if messages else text).strip()[-60:]
    padding = " And so on." * (request.seed % 4)
    return f"Scripted answer {request.seed % _NUMBERS} to: {tail}{padding}"


def _question(seed: int) -> str:
    words, rest = [], seed
    for choices in (_VERBS, _FIELDS, _READERS, _SIZES):
        rest, index = divmod(rest, len(choices))
        words.append(choices[index])
    verb, field, reader, size = words
    return f"{verb} topic {seed} of {field} to {reader} in {size}."


def echo_likelihood(request: ScoreRequest) -> float:
    """Between half a nat and one and a half per word, decided by prompt and completion."""
    share = int(digest(seen(request.prompt), request.completion)[:8], 16) / 0xFFFFFFFF
    return -(0.5 + share) * len(request.completion.split())


def echo_reward(request: RewardRequest) -> float:
    """The number of the scripted answer, between 0 and 1; of another text, a number of its own."""
    text = seen(request.conversation)
    if numbers := _ANSWER.findall(text):
        return int(numbers[-1]) / _NUMBERS
    return int(digest(text)[:8], 16) / 0xFFFFFFFF


def echo_hidden(request: HiddenRequest) -> list[float]:
    """The sum of a vector of four numbers for each word."""
    words = request.completion.split()
    digests = [digest(word) for word in words]
    return [
        sum(int(one[start : start + 8], 16) / 0xFFFFFFFF for one in digests)
        for start in (0, 8, 16, 24)
    ]


def echo_embedding(request: EmbedRequest) -> list[float]:
    """Texts that share words are near each other: each word adds one to one of the places."""
    counts = [0.0] * _DIMENSIONS
    for word in request.text.lower().split():
        counts[int(digest(word)[:8], 16) % _DIMENSIONS] += 1.0
    return counts


def echo_labels(request: LabelRequest) -> list[float]:
    """Judge the scripted answers in the prompt; their numbers are their worth.

    Two labels and two answers are a comparison: each label gets its answer's share of the two
    numbers, which turns around exactly when the answers swap. Otherwise the labels are grades,
    worst first, and the last answer's grade is the likeliest.
    """
    worths = [int(number) + 1 for number in _ANSWER.findall(seen(request.prompt))]
    n_labels = len(request.labels)
    if n_labels == 2 and len(worths) >= 2:
        total = worths[-2] + worths[-1]
        return [0.95 * worths[-2] / total, 0.95 * worths[-1] / total]
    grade = (worths[-1] / _NUMBERS if worths else 0.5) * (n_labels - 1)
    weights = [1 / (1 + abs(index - grade)) for index in range(n_labels)]
    return [0.95 * weight / sum(weights) for weight in weights]
