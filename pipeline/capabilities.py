"""What a recipe's model could do at best, known without opening it or asking a server."""

from __future__ import annotations

from schemas.models import Capability
from schemas.recipe import EngineName, ModelEntry

_LOCAL: frozenset[Capability] = frozenset(
    ("generate", "raw_prompt", "seed", "logprobs", "score", "label_probs")
)
_AT_BEST: dict[EngineName, frozenset[Capability]] = {
    "auto": _LOCAL | {"structured"},
    "vllm": _LOCAL | {"structured"},
    "transformers": _LOCAL,
    "openai": _LOCAL | {"structured"},
    "scripted": _LOCAL | {"structured"},
}
_NEEDS_COMPLETIONS: frozenset[Capability] = frozenset(("raw_prompt", "score"))
"""A chat endpoint renders the prompt itself: no text of ours can be continued or scored there."""


def declared_capabilities(entry: ModelEntry) -> frozenset[Capability]:
    """An upper bound of what can be asked of a model; a server may turn out to do less."""
    able = _AT_BEST[entry.engine]
    if entry.engine != "openai":
        return able
    if entry.api == "chat":
        return able - _NEEDS_COMPLETIONS
    return able if entry.tokenizer else able - {"raw_prompt"}


def why_unable(entry: ModelEntry, capability: Capability) -> tuple[str, str]:
    """Why a model lacks a capability, and what would have it."""
    if entry.engine == "openai" and entry.api == "chat" and capability in _NEEDS_COMPLETIONS:
        reason = "a chat endpoint renders the prompt itself"
        return reason, "use `api: completions` with `tokenizer`, or `engine: vllm`"
    if entry.engine == "openai" and capability == "raw_prompt":
        reason = "the chat template that a raw prompt follows is not known"
        return reason, "name the model's `tokenizer`"
    able = [name for name, can in _AT_BEST.items() if capability in can]
    return f"`engine: {entry.engine}` has no such call", f"use one of {', '.join(able)}"
