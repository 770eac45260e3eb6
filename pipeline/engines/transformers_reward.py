"""Reward models through transformers: the fallback and the numeric reference.

Any decoder with a sequence-classification head and a chat template; the score is read at the
conversation's last token.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook
from pipeline.engines.reward_reading import Reading, attribute_names, reading
from pipeline.engines.tokenizer import chat_format, tokenizer_of
from pipeline.engines.transformers_base import TransformersModel
from pipeline.engines.transformers_model import load_classifier
from schemas.models import Failure, Reward, RewardRequest


def open_transformers_reward(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    """Load a reward model.

    Raises:
        EngineUnavailable: transformers cannot load it here, or it has no trained head.
        InputError: it has no tokenizer or no chat template.
    """
    tokenizer = tokenizer_of(spec)
    chat = chat_format(spec, tokenizer)
    model = load_classifier(spec)
    return LoadedModel(spec, TransformersRewarder(model, tokenizer, spec, progress), chat)


class TransformersRewarder(TransformersModel):
    """A `schemas.models.Rewarder` over a transformers model in this process."""

    def reward(self, requests: Sequence[RewardRequest]) -> list[Reward | Failure]:
        """See `schemas.models.Rewarder`."""
        readings = [reading(self._tokenizer, request, self._window) for request in requests]
        return self._serve(readings, self._reward)

    def _reward(self, readings: Sequence[Reading]) -> list[Reward]:
        import torch

        rows = [read.ids for read in readings]
        device, padding = self._model.device, padding_id(rows)
        longest = max(map(len, rows))
        ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
        lengths = torch.tensor([len(row) for row in rows]).unsqueeze(1)
        mask = (torch.arange(longest) < lengths).long()
        self._model.config.get_text_config().pad_token_id = padding
        logits = self._model(
            input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False
        ).logits
        attributes = attribute_names(self._model.config)
        self._progress(len(readings), 0)
        return [
            read.reward(attributes, values)
            for read, values in zip(readings, logits.double().tolist(), strict=True)
        ]


def padding_id(rows: Sequence[Sequence[int]]) -> int:
    """A token to pad rows with on the right.

    transformers reads the score at the last token that is not padding. With the tokenizer's own,
    which often is the end-of-turn token, it would read it too early; a token that ends no row
    leaves it where it belongs.
    """
    last: set[int] = {row[-1] for row in rows}
    return next(token for token in range(len(rows) + 1) if token not in last)
