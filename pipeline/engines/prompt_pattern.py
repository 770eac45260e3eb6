"""Which prompts an entry of a script is about."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PromptPattern(BaseModel):
    """A text or a pattern; with neither, all prompts are meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str | None = Field(None, description="A text that the prompt must contain.")
    regex: str | None = Field(None, description="A pattern to be found in the prompt.")

    @model_validator(mode="after")
    def _check_pattern(self) -> Self:
        if self.match is not None and self.regex is not None:
            raise ValueError("`match` or `regex`, not both")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"`regex` {self.regex!r} is no pattern: {error}") from None
        return self

    def matches(self, text: str) -> bool:
        """Whether a prompt is meant."""
        if self.regex is not None:
            return re.search(self.regex, text) is not None
        return self.match is None or self.match in text
