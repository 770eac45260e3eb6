"""The pair in a record of a published preference dataset, whichever form it is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.batch import Row
from stages._records import (
    PROMPT_FIELDS,
    BadRecord,
    Turn,
    field_among,
    prompt_turns,
    turn_of,
    turns_of,
    value_of,
)
from stages._transcripts import is_transcript, transcript_turns


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """A prompt, not yet checked, and two answers to it."""

    prompt: list[Turn]
    chosen: str
    rejected: str


def read_pair(
    record: Row, prompt: str | None, chosen: str, rejected: str, implicit_prompt: bool
) -> RecordedPair:
    """The pair whose answers are in the fields `chosen` and `rejected`.

    Args:
        prompt: its field; None takes the usual names.
        implicit_prompt: of two texts, what they begin with is the prompt.

    Raises:
        BadRecord: there is none.
    """
    sides = value_of(record, chosen), value_of(record, rejected)
    if all(isinstance(side, str) for side in sides):
        if implicit_prompt:
            return _by_words(*sides)
        if prompt is None and all(map(is_transcript, sides)):
            return _by_turns(*map(transcript_turns, sides))
        return RecordedPair(_prompt(record, prompt), *sides)
    first, second = (
        _turns(side, name) for side, name in zip(sides, (chosen, rejected), strict=True)
    )
    if len(first) == len(second) == 1:
        return RecordedPair(_prompt(record, prompt), _answer(first[0]), _answer(second[0]))
    return _by_turns(first, second)


def _prompt(record: Row, name: str | None) -> list[Turn]:
    advice = "say which one with `prompt`, or set `implicit_prompt: true`"
    return prompt_turns(record, name or field_among(record, PROMPT_FIELDS, advice))


def _turns(side: Any, name: str) -> list[Turn]:
    turns = (
        [turn_of(side, 1)] if isinstance(side, dict) else turns_of(side, name, ["list of turns"])
    )
    if not turns:
        raise BadRecord("bad_record", f"field `{name}` holds no turn")
    return turns


def _answer(turn: Turn) -> str:
    if turn["role"] != "assistant":
        raise BadRecord("bad_roles", f"an answer is of `{turn['role']}`, not of `assistant`")
    return turn["content"]


def _by_turns(chosen: list[Turn], rejected: list[Turn]) -> RecordedPair:
    """Split two whole conversations where they part."""
    shorter = min(len(chosen), len(rejected))
    pairs = zip(chosen[: shorter - 1], rejected[: shorter - 1], strict=True)
    common = next((at for at, (a, b) in enumerate(pairs) if a != b), shorter - 1)
    for name, turns in (("chosen", chosen), ("rejected", rejected)):
        if len(turns) > common + 1:
            raise BadRecord(
                "several_answers",
                f"`{name}` has {len(turns) - common} turns after the {common} that both begin "
                "with; a pair has one answer each",
            )
    return RecordedPair(chosen[:common], _answer(chosen[-1]), _answer(rejected[-1]))


def _by_words(chosen: str, rejected: str) -> RecordedPair:
    """Split two texts before the first word in which they differ; the space goes to the answers."""
    letters = enumerate(zip(chosen, rejected, strict=False))
    apart = next((at for at, (a, b) in letters if a != b), min(len(chosen), len(rejected)))
    common = chosen[:apart]
    if common and not common[-1].isspace():
        common = common.removesuffix(common.split()[-1])
    if not (prompt := common.rstrip()):
        raise BadRecord("no_prompt", "`chosen` and `rejected` do not begin with a word in common")
    turn = {"role": "user", "content": prompt}
    return RecordedPair([turn], chosen[len(prompt) :], rejected[len(prompt) :])
