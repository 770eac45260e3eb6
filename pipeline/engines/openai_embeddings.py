"""/v1/embeddings: one text a request; servers put them together as they see fit."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

from pipeline.engines.openai_answers import EmbeddingAnswer
from pipeline.engines.openai_http import Call
from schemas.models import Embedding, EmbedRequest

_PATH = "/embeddings"


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Requests to /v1/embeddings.

    Attributes:
        model: its name on the server.
    """

    model: str

    def embed(self, request: EmbedRequest) -> Call[Embedding]:
        """The vector of a text. One that does not fit the window is the server's to refuse."""
        body = {"model": self.model, "input": request.text, "encoding_format": "float"}

        def read(answer: Any) -> Embedding:
            found = EmbeddingAnswer.model_validate(answer)
            vector = array("f", found.data[0].embedding)
            return Embedding(request.request_id, vector, found.usage.prompt_tokens)

        return Call(_PATH, body, read)
