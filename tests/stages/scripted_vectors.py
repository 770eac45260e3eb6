"""An embedding model whose vectors are written down beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engines.scripted import ScriptedGenerator
from schemas.models import Embedding, EmbedRequest, Failure

Result = Sequence[float] | Failure


class Model(ScriptedGenerator):
    """Gives vectors by text, and remembers what it was asked."""

    def __init__(self, vectors: Mapping[str, Result], cut: int = 0) -> None:
        super().__init__(vector=lambda request: vectors[request.text])
        self.asked: list[str] = []
        self._cut = cut

    def embed(self, requests: Sequence[EmbedRequest]) -> list[Embedding | Failure]:
        self.asked += [request.text for request in requests]
        found = super().embed(requests)
        return [
            one
            if isinstance(one, Failure)
            else Embedding(one.request_id, one.vector, one.n_prompt_tokens, self._cut)
            for one in found
        ]
