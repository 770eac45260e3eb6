"""Embedding models through transformers: sentence encoders, and any causal language model.

The vector is the mean of the last layer's states, that of the first token or of the last, as the
model's own sentence-transformers files or the recipe say. Texts that do not fit the window are cut
where the tokenizer cuts, and how much was cut is counted. A text's vector depends on the batch it
is in by as much as float32 rounds, some 1e-7 of its length.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook
from pipeline.engines.footprint import model_folder
from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.pooling import FILES, Method, method_of
from pipeline.engines.tokenizer import tokenizer_of
from pipeline.engines.transformers_base import TransformersModel
from pipeline.engines.transformers_model import load_encoder
from schemas.models import Embedding, EmbedRequest, Failure


def open_transformers_embedder(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    """Load an embedding model.

    Raises:
        EngineUnavailable: transformers cannot load it here.
        InputError: it has no tokenizer, or nothing says how its states become one vector.
    """
    method = method_of(spec, _folder(spec))
    tokenizer = tokenizer_of(spec)
    model = load_encoder(spec)
    embedder = TransformersEmbedder(model, tokenizer, spec, progress, method)
    return LoadedModel(spec, embedder, PlainChat())  # which no stage asks for


def _folder(spec: ModelSpec) -> Path:
    """Where the files are that say how to pool; of a model on the hub they are fetched."""
    folder = model_folder(spec)
    if spec.revision is None or spec.entry.pooling != "auto":
        return folder or Path(spec.path)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(spec.path, revision=spec.revision, allow_patterns=list(FILES)))


@dataclass(frozen=True, slots=True)
class _Text:
    """As much of a text as fits the window, as token ids, and how many tokens do not."""

    request_id: str
    ids: list[int]
    n_truncated: int


class TransformersEmbedder(TransformersModel):
    """A `schemas.models.Embedder` over a transformers model in this process."""

    def __init__(
        self, model: Any, tokenizer: Any, spec: ModelSpec, progress: ProgressHook, method: Method
    ) -> None:
        super().__init__(model, tokenizer, spec, progress)
        limits = (self._window, method.max_tokens, tokenizer.model_max_length)
        self._window = int(min(limit for limit in limits if limit))
        self._method = method

    def embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        """See `schemas.models.Embedder`."""
        read = self._read(requests)
        # Texts of about one length together: a batch is as slow as its longest.
        order = sorted(range(len(read)), key=lambda place: _length(read[place]))
        found = self._serve([read[place] for place in order], self._embed)
        results = dict(zip(order, found, strict=True))
        return [results[place] for place in range(len(read))]

    def _read(self, requests: Sequence[EmbedRequest]) -> list[_Text | Failure]:
        if not requests:
            return []
        method = self._method
        texts = [method.prefix + request.text for request in requests]
        if method.is_lower:
            texts = [text.lower() for text in texts]
        found = self._tokenizer(texts, verbose=False)["input_ids"]
        pairs = zip(requests, texts, found, strict=True)
        return [self._fitting(request.request_id, text, ids) for request, text, ids in pairs]

    def _fitting(self, request_id: str, text: str, ids: list[int]) -> _Text | Failure:
        if not ids:
            return Failure(request_id, "empty_prompt", "the text has no token")
        if len(ids) <= self._window:
            return _Text(request_id, ids, 0)
        # Not simply the first so many: what ends a text, such as [SEP], has to stay.
        cut = self._tokenizer(text, truncation=True, max_length=self._window)["input_ids"]
        return _Text(request_id, cut, len(ids) - len(cut))

    def _embed(self, texts: Sequence[_Text]) -> list[Embedding]:
        import torch

        rows = [text.ids for text in texts]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        lengths = torch.tensor([len(row) for row in rows]).unsqueeze(1)
        mask = (torch.arange(longest) < lengths).long()
        device = self._model.device
        states = self._model(
            input_ids=ids.to(device), attention_mask=mask.to(device)
        ).last_hidden_state.float()
        vectors = pooled(states, mask.to(device), self._method)
        self._progress(len(texts), 0)
        return [
            Embedding(text.request_id, array("f", row), len(text.ids), text.n_truncated)
            for text, row in zip(texts, vectors.tolist(), strict=True)
        ]


def _length(text: _Text | Failure) -> int:
    return 0 if isinstance(text, Failure) else len(text.ids)


def pooled(states: Any, mask: Any, method: Method) -> Any:
    """One vector for each text.

    Args:
        states: float32, texts x positions x width; padded on the right.
        mask: texts x positions, 1 where there is a token.
        method: what to make of them.
    """
    import torch

    if method.states == "mean":
        weights = mask.unsqueeze(-1).to(states.dtype)
        vectors = (states * weights).sum(1) / weights.sum(1)
    elif method.states == "cls":
        vectors = states[:, 0]
    else:
        vectors = states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
    return torch.nn.functional.normalize(vectors, dim=-1) if method.is_unit else vectors
