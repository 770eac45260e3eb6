"""What several tests share: a Context over scripted models, with a chat format one can read."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.scripted import ScriptedGenerator
from schemas.models import ChatFormat, Generator

__all__ = ["FakeContext", "PlainChat"]


class FakeContext:
    """A `schemas.stage.Context` for tests of one stage."""

    def __init__(
        self,
        models: Mapping[str, Generator] | None = None,
        *,
        stage: str = "test",
        recipe_seed: int = 7,
        chat: ChatFormat | None = None,
    ) -> None:
        self.stage = stage
        self.recipe_seed = recipe_seed
        self._models = dict(models or {"policy": ScriptedGenerator()})
        self._chat = chat or PlainChat()

    def model(self, role: str) -> Generator:
        return self._models[role]

    def chat(self, role: str) -> ChatFormat:
        return self._chat

    def model_name(self, role: str) -> str:
        return f"{role}:scripted"
