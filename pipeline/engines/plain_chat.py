"""A chat format that one can read: `<role>content</role>` turns, with no default system turn."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.models import Message, Prompt, Stop

USER_OPENS = "<user>"


class PlainChat:
    """The `ChatFormat` of scripted models."""

    user_stop = Stop((7,), ("</user>",))

    def render(self, messages: Sequence[Message]) -> Prompt:
        """The turns, then the start of the assistant's."""
        return Prompt(self._turns(messages) + "<assistant>", tuple(messages))

    def render_answered(self, messages: Sequence[Message]) -> Prompt:
        """The turns, all of them closed."""
        return Prompt(self._turns(messages), tuple(messages))

    def user_turn_prefix(
        self,
        *,
        system: str | None = None,
        keep_default_system: bool = True,
        history: Sequence[Message] = (),
    ) -> Prompt:
        """The turns so far, then the start of the user's."""
        head = f"<system>{system}</system>" if system else ""
        return Prompt(head + self._turns(history) + USER_OPENS)

    @staticmethod
    def _turns(messages: Sequence[Message]) -> str:
        return "".join(f"<{m.role}>{m.content}</{m.role}>" for m in messages)
