"""What several tests share: a Context over scripted models, and a chat format one can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engines.scripted import ScriptedGenerator
from schemas.models import ChatFormat, Generator, Message, Prompt, Stop


class PlainChat:
    """`<role>content</role>` turns: readable in assertions, with no default system turn."""

    user_stop = Stop((7,), ("</user>",))

    def render(self, messages: Sequence[Message]) -> Prompt:
        return Prompt(self._turns(messages) + "<assistant>", tuple(messages))

    def user_turn_prefix(
        self,
        *,
        system: str | None = None,
        keep_default_system: bool = True,
        history: Sequence[Message] = (),
    ) -> Prompt:
        head = f"<system>{system}</system>" if system else ""
        return Prompt(head + self._turns(history) + "<user>")

    @staticmethod
    def _turns(messages: Sequence[Message]) -> str:
        return "".join(f"<{m.role}>{m.content}</{m.role}>" for m in messages)


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
