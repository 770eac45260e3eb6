"""From rendered text to token ids, the same for every engine.

A rendered prompt spells out its special tokens. Some chat templates write the beginning-of-sequence
token and some leave it to the tokenizer; either way the model must see it exactly once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pipeline.engines.base import ModelSpec
from prompts.chat import TemplateChat
from schemas.errors import InputError
from schemas.models import ChatFormat


@lru_cache(maxsize=4)
def load_tokenizer(path: str, revision: str | None, trust_remote_code: bool) -> Any:
    """A Hugging Face tokenizer.

    Raises:
        InputError: there is none at `path`.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            path, revision=revision, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"no tokenizer can be loaded from {path}: {error}. Name another with `tokenizer:`."
        ) from error


def tokenizer_of(spec: ModelSpec) -> Any:
    """The tokenizer of a resolved model: its own, or the one that the recipe names."""
    path = spec.tokenizer_path or spec.path
    revision = spec.tokenizer_revision if spec.tokenizer_path else spec.revision
    return load_tokenizer(path, revision, spec.entry.trust_remote_code)


def encode_prompt(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a rendered prompt, with exactly one BOS if the model uses one, and no EOS."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    bos = tokenizer.bos_token_id
    if bos is None:
        return ids
    while ids[:2] == [bos, bos]:
        ids = ids[1:]
    if ids[:1] != [bos] and _adds_bos(tokenizer):
        ids = [bos, *ids]
    return ids


def _adds_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer itself begins a sequence with BOS."""
    empty: list[int] = tokenizer.encode("", add_special_tokens=True)
    return empty[:1] == [tokenizer.bos_token_id]


def encode_pair(tokenizer: Any, prompt: str, completion: str) -> tuple[list[int], list[int]]:
    """Token ids of a prompt and of the text that follows it.

    They are the tokens of the whole text, cut where the prompt ends. Where a token would straddle
    the cut, as with a prompt that ends in a space, the completion is encoded apart, so that the
    prompt is tokenised as it was when the completion was sampled.
    """
    prompt_ids = encode_prompt(tokenizer, prompt)
    whole = encode_prompt(tokenizer, prompt + completion)
    if whole[: len(prompt_ids)] == prompt_ids:
        return prompt_ids, whole[len(prompt_ids) :]
    apart: list[int] = tokenizer.encode(completion, add_special_tokens=False)
    return prompt_ids, apart


def text_logprob_sum(
    tokenizer: Any, text: str, sampled: Sequence[int], logprob_sum: float
) -> float | None:
    """`logprob_sum` of sampled tokens as that of their text; None if it has other tokens.

    A text can be sampled in more ways than the one in which it is split, each with a likelihood of
    its own; only that one can be compared with what another model says of the text.
    """
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return logprob_sum if ids == list(sampled) else None


def chat_format(spec: ModelSpec, tokenizer: Any) -> ChatFormat:
    """How the model's conversations are written, from its chat template.

    Raises:
        InputError: neither the tokenizer nor the recipe has a chat template.
    """
    template = spec.entry.chat_template or _own_template(tokenizer)
    if not template:
        raise InputError(
            f"model `{spec.role}` ({spec.entry.model}) has no chat template, so its conversations "
            "cannot be written down. Take an instruction-tuned model, or give the recipe's entry "
            "a `chat_template:`."
        )
    special = {
        str(token): int(token_id)
        for token_id, token in tokenizer.added_tokens_decoder.items()
        if token.special
    }
    return TemplateChat(
        template=template,
        special_tokens=special,
        bos_token=tokenizer.bos_token,
        eos_token=tokenizer.eos_token,
    )


def _own_template(tokenizer: Any) -> str | None:
    """The tokenizer's template; of several named ones, the default."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else None
