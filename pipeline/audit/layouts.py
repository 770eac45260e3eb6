r"""Recognises the layouts in which paired preferences are published, and reads them as pairs.

    hh-rlhf                  chosen, rejected: transcripts of `\n\nHuman:` and `\n\nAssistant:`
    ultrafeedback-binarized  prompt, chosen, rejected: whole conversations, and scores or ratings
    conversational           chosen, rejected: turns; prompt: turns, text, or left out
    plain                    prompt, chosen, rejected: texts
    helpsteer2-preference    prompt, response_1, response_2, preference_strength
    helpsteer3-preference    context, response1, response2, overall_preference
    helpsteer2-ratings       prompt, response, helpfulness ...: two rows, one below the other

A layout is recognised from a record's fields; a record that has them but says nothing is skipped
with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from pipeline.audit.pairs import LABEL, Pair
from pipeline.audit.turns import answer_of, last_user_turn, split_transcript
from schemas.layouts import answer_fault, same_text
from stages._transcripts import HUMAN
from stages.load_pairs import SCORE_FIELDS

Fields = Mapping[str, Any]
Reader = Callable[[Fields], "Pair | str"]

RATINGS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
"""HelpSteer2's attributes. `verbosity` and `complexity` say what an answer is, not how good."""
RATED = "helpsteer2-ratings"
"""The layout with an answer a record."""
_SCORE_LABELLER = "scores"


def layout_of(fields: Fields) -> str | None:
    """The layout's name; None if these are no fields of a paired dataset."""
    if {"response_1", "response_2", "preference_strength"} <= fields.keys():
        return "helpsteer2-preference"
    if {"response1", "response2", "overall_preference"} <= fields.keys():
        return "helpsteer3-preference"
    if {"prompt", "response", *RATINGS} <= fields.keys():
        return RATED
    if not {"chosen", "rejected"} <= fields.keys():
        return None
    return _chosen_rejected(fields)


def _chosen_rejected(fields: Fields) -> str:
    chosen = fields["chosen"]
    if isinstance(chosen, str):
        is_transcript = "prompt" not in fields and HUMAN in chosen
        return "hh-rlhf" if is_transcript else "plain"
    whole = isinstance(fields.get("prompt"), str) and isinstance(chosen, list) and len(chosen) > 1
    return "ultrafeedback-binarized" if whole else "conversational"


def read_pair(layout: str, fields: Fields) -> Pair | str:
    """The pair in a record of one of the layouts with a pair a record, or why it holds none."""
    return _READERS[layout](fields)


def read_rated(first: Fields, second: Fields) -> Pair | str:
    """The pair that two records of `helpsteer2-ratings` make, a labeller for each attribute."""
    verdicts = {}
    for name in RATINGS:
        one, two = first[name], second[name]
        if not _is_number(one) or not _is_number(two):
            return "no_rating"
        verdicts[name] = preference(one, two)
    answers = first["response"], second["response"]
    return _pair(
        last_user_turn(first["prompt"]), answers, {LABEL: verdicts["helpfulness"], **verdicts}
    )


def preference(first: float, second: float) -> float:
    """1 if the first score is higher, 0 if the second is, 0.5 if they are equal."""
    return 0.5 if first == second else float(first > second)


def _transcripts(fields: Fields) -> Pair | str:
    chosen, rejected = split_transcript(fields["chosen"]), split_transcript(fields["rejected"])
    if chosen is None or rejected is None:
        return "no_answer"
    if chosen[0] != rejected[0]:
        return "prompts_differ"
    prompt = chosen[0].rsplit(HUMAN, 1)[-1]
    return _pair(prompt, (chosen[1], rejected[1]), _verdicts(fields))


def _conversations(fields: Fields) -> Pair | str:
    chosen, rejected = answer_of(fields["chosen"]), answer_of(fields["rejected"])
    if chosen is None or rejected is None:
        return "no_answer"
    prompt = fields.get("prompt") or fields["chosen"]
    verdicts = _verdicts(fields)
    return _pair(last_user_turn(prompt), (chosen, rejected), verdicts, _models(fields))


def _texts(fields: Fields) -> Pair | str:
    answers = fields["chosen"], fields["rejected"]
    prompt = fields.get("prompt", fields.get("instruction", fields.get("question")))
    return _pair(last_user_turn(prompt), answers, _verdicts(fields), _models(fields))


def _strength(first: str, second: str, prompt: str, strength: str) -> Reader:
    """Signed strengths, NVIDIA's way: below zero the first answer is better."""

    def read(fields: Fields) -> Pair | str:
        value = fields[strength]
        if not _is_number(value):
            return "no_preference"
        verdicts = {LABEL: preference(-value, value)}
        answers = fields[first], fields[second]
        return _pair(last_user_turn(fields.get(prompt)), answers, verdicts, is_shown_order=True)

    return read


_READERS: dict[str, Reader] = {
    "hh-rlhf": _transcripts,
    "ultrafeedback-binarized": _conversations,
    "conversational": _conversations,
    "plain": _texts,
    "helpsteer2-preference": _strength("response_1", "response_2", "prompt", "preference_strength"),
    "helpsteer3-preference": _strength("response1", "response2", "context", "overall_preference"),
}
LAYOUTS = (*_READERS, RATED)
"""All that are recognised."""


def _pair(
    prompt: str,
    answers: tuple[Any, Any],
    verdicts: Mapping[str, float],
    models: tuple[str | None, str | None] = (None, None),
    is_shown_order: bool = False,
) -> Pair | str:
    if not all(isinstance(answer, str) for answer in answers):
        return "no_answer"
    if answer_fault("first", answers[0]) or answer_fault("second", answers[1]):
        return "empty_answer"
    if same_text(*answers):
        return "same_text"
    return Pair(prompt, *answers, verdicts, models, is_shown_order)


def _verdicts(fields: Fields) -> dict[str, float]:
    """The label, which is in the order, and what the scores say if there are any."""
    verdicts = {LABEL: 1.0}
    for chosen, rejected in SCORE_FIELDS:
        first, second = fields.get(chosen), fields.get(rejected)
        if _is_number(first) and _is_number(second):
            verdicts[_SCORE_LABELLER] = preference(first, second)
            break
    return verdicts


def _models(fields: Fields) -> tuple[str | None, str | None]:
    chosen, rejected = (
        _name(fields.get(f"{side}_model", fields.get(f"{side}-model")))
        for side in ("chosen", "rejected")
    )
    return chosen, rejected


def _name(value: Any) -> str | None:
    """A name as it can be shown anywhere, on a terminal too."""
    if not isinstance(value, str):
        return None
    return "".join(char if char.isprintable() else "\ufffd" for char in value)


def _is_number(value: Any) -> TypeGuard[float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
