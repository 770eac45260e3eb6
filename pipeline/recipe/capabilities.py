"""What a recipe's model could do at best, known without opening it or asking a server."""

from __future__ import annotations

from schemas.models import Capability
from schemas.recipe import EngineName, ModelEntry, ModelKind

_TEXT: frozenset[Capability] = frozenset(
    ("generate", "raw_prompt", "seed", "logprobs", "score", "label_probs", "structured")
)
_WEIGHS: frozenset[Capability] = frozenset(("score", "label_probs"))
_REWARD: frozenset[Capability] = frozenset(("reward",))
_EMBED: frozenset[Capability] = frozenset(("embed",))
_NONE: frozenset[Capability] = frozenset()
_AT_BEST: dict[EngineName, dict[ModelKind, frozenset[Capability]]] = {
    "auto": {"text": _TEXT, "reward": _REWARD, "embedding": _EMBED},
    "vllm": {"text": _TEXT, "reward": _REWARD, "embedding": _NONE},
    "transformers": {
        "text": _TEXT - {"structured"} | {"hidden_states"},
        "reward": _REWARD,
        "embedding": _EMBED,
    },
    "openai": {"text": _TEXT, "reward": _NONE, "embedding": _EMBED},
    "scripted": {"text": _TEXT | {"hidden_states"}, "reward": _REWARD, "embedding": _EMBED},
}
_CHAT_CANNOT: frozenset[Capability] = frozenset(("raw_prompt", "score", "logprobs"))
"""A chat endpoint renders the prompt itself: no text of ours can be continued or scored there."""


def declared_capabilities(entry: ModelEntry) -> frozenset[Capability]:
    """An upper bound of what can be asked of a model; a server may turn out to do less."""
    able = _AT_BEST[entry.engine][entry.kind]
    if entry.extrapolate_from:
        return able & _WEIGHS
    return able - _CHAT_CANNOT if _is_chat(entry) else able


def _is_chat(entry: ModelEntry) -> bool:
    """Without the tokenizer only the server knows the chat template, so it has to render."""
    return entry.engine == "openai" and (entry.api == "chat" or entry.tokenizer is None)


def why_unable(entry: ModelEntry, capability: Capability) -> tuple[str, str]:
    """Why a model lacks a capability, and what would have it."""
    if (kind := _kind_for(capability)) != entry.kind:
        return f"it is declared as `kind: {entry.kind}`", f"name a model with `kind: {kind}`"
    if _is_chat(entry) and capability in _CHAT_CANNOT:
        advice = "name the model's `tokenizer`"
        if entry.api == "chat":
            advice += " and use `api: completions`, or take `engine: vllm`"
            return "a chat endpoint renders the prompt itself", advice
        return "without its tokenizer the server renders the prompt itself", advice
    if entry.extrapolate_from:
        return "what is extrapolated only weighs texts", "name the model that it is made from"
    able = [name for name, can in _AT_BEST.items() if capability in can[entry.kind]]
    may = " may take vLLM, which" if entry.engine == "auto" else ""
    return f"`engine: {entry.engine}`{may} has no such call", f"use one of {', '.join(able)}"


def _kind_for(capability: Capability) -> ModelKind:
    if capability in _REWARD:
        return "reward"
    return "embedding" if capability in _EMBED else "text"
