"""Columns of plain strings that several layouts share."""

from __future__ import annotations

from schemas.columns import Column
from schemas.types import STRING

PROMPT_TEXT = Column("prompt", STRING, "the user's turn")
CHOSEN_TEXT = Column("chosen", STRING, "the preferred answer")
REJECTED_TEXT = Column("rejected", STRING, "the other answer")
COMPLETION_TEXT = Column("completion", STRING, "an answer")
SYSTEM_TEXT = Column("system", STRING, "the system prompt; empty if there is none")
