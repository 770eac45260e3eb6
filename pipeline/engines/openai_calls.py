"""What both endpoints of an OpenAI-compatible server have in common: sampling, checks, labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.engines.openai_http import RequestFailed
from schemas.models import GenerateRequest, Sampling, Structure

TOP_LOGPROBS = 20
"""Likeliest tokens asked for; servers commonly refuse more."""

NEGLIGIBLE = 1e-4
"""A label outside the likeliest tokens counts as 0 if it can have no more than this."""


def sampling_body(request: GenerateRequest, *, extended: bool) -> dict[str, Any]:
    """The sampling fields of a request.

    vLLM fills what is absent from the model's `generation_config.json`, so with `extended` every
    field is spelled out. Other servers refuse fields that they do not know, so they get an
    extension only if it would change the text.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": request.seed,
    }
    neutral = Sampling()
    for name in ("top_k", "min_p", "repetition_penalty"):
        value = getattr(sampling, name)
        if extended or value != getattr(neutral, name):
            body[name] = value
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.stop_token_ids:
        body["stop_token_ids"] = list(sampling.stop_token_ids)
    return body | (_structure_body(sampling.structure) if sampling.structure else {})


def _structure_body(structure: Structure) -> dict[str, Any]:
    if structure.choices:
        return {"structured_outputs": {"choice": list(structure.choices)}}
    if structure.regex:
        return {"structured_outputs": {"regex": structure.regex}}
    try:
        schema = json.loads(structure.json_schema)
    except ValueError as error:
        raise RequestFailed("bad_request", f"the JSON schema is no JSON: {error}") from None
    named = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def finished(reason: str | None) -> Literal["stop", "length"]:
    """The finish reason; `length` also where the server shortened `max_tokens` to its window."""
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    raise RequestFailed("malformed", f"finish_reason is {reason!r}, not `stop` or `length`")


def check_structure(text: str, reason: str, structure: Structure | None) -> None:
    """Servers that know no structured output ignore the wish in silence: look at the answer."""
    if structure is None or reason == "length":
        return
    if structure.choices:
        kept = text in structure.choices
    elif structure.regex:
        kept = re.fullmatch(structure.regex, text) is not None
    else:
        kept = _is_json(text)
    if not kept:
        raise RequestFailed(
            "malformed", "the answer breaks the structure asked for; can this server do it?"
        )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def label_probs(labels: Mapping[str, str], top: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    """Probabilities of labels from the likeliest tokens.

    Tokens outside `top` are each no likelier than the least of it, and together have no more than
    what it leaves over. Where that bounds a missing label by `NEGLIGIBLE` it counts as 0; else
    its probability is unknown and the request fails.

    Args:
        labels: label to the token that stands for it, as the server spells tokens.
        top: the likeliest tokens with their log-probabilities in nats.

    Raises:
        RequestFailed: `no_logprobs`; there are none, or a label's cannot be had.
    """
    if not top:
        raise RequestFailed("no_logprobs", "the server gave no log-probabilities")
    probs = [(token, math.exp(min(logprob, 0.0))) for token, logprob in top]
    bound = min(min(p for _, p in probs), max(0.0, 1.0 - sum(p for _, p in probs)))
    missing = [label for label, token in labels.items() if all(token != t for t, _ in probs)]
    if missing and bound > NEGLIGIBLE:
        raise RequestFailed(
            "no_logprobs",
            f"label {missing[0]!r} is not among the {len(top)} likeliest tokens and may have a "
            f"probability of up to {bound:.2g}",
        )
    found = [sum(p for t, p in probs if t == token) for token in labels.values()]
    total = max(1.0, sum(found))  # rounding may carry the sum above 1
    return tuple(p / total for p in found)
