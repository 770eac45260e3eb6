"""What a reward model reads of a conversation, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.engines.tokenizer import encode_prompt
from schemas.models import Failure, Reward, RewardRequest


@dataclass(frozen=True, slots=True)
class Reading:
    """As much of a conversation as fits the model's window.

    Attributes:
        ids: token ids from its start.
        n_truncated: tokens cut off at its end.
    """

    request_id: str
    ids: list[int]
    n_truncated: int

    def reward(self, attributes: tuple[str, ...], values: list[float]) -> Reward:
        """What the model made of it."""
        n_read = len(self.ids)
        return Reward(self.request_id, attributes, tuple(values), n_read, self.n_truncated)


def reading(tokenizer: Any, request: RewardRequest, window: int) -> Reading | Failure:
    """Token ids of a conversation, truncated on the right to `window`.

    Where nothing of the answer would be left, every answer to the prompt would score the same, so
    that is a failure.
    """
    ids = encode_prompt(tokenizer, request.conversation.text or "")
    if not ids:
        return Failure(request.request_id, "empty_prompt", "the conversation has no token")
    if len(ids) > window:
        n_prompt = len(encode_prompt(tokenizer, request.prompt.text or ""))
        if n_prompt >= window:
            message = (
                f"the prompt alone has {n_prompt} tokens and the model's window holds {window}: "
                "it would see nothing of the answer"
            )
            return Failure(request.request_id, "context_length", message)
    return Reading(request.request_id, ids[:window], max(0, len(ids) - window))


def attribute_names(config: Any) -> tuple[str, ...]:
    """Names of a classifier's outputs, in order, from its Hugging Face configuration."""
    return tuple(str(config.id2label[place]) for place in range(config.num_labels))
