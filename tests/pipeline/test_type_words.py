from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.cli.type_words import default_words, type_words
from pipeline.tables import markdown_table, text_table
from schemas.stage import ModelRole, StageConfig

Share = Annotated[float, Field(ge=0, lt=1)]


class Config(StageConfig):
    needed: int = Field(ge=1, le=9, description="")
    flag: bool = Field(False, description="")
    mode: Literal["a", "b"] = Field("a", description="")
    only: Literal["a"] = Field("a", description="")
    maybe: str | None = Field(None, description="")
    roles: ModelRole | tuple[ModelRole, ...] = Field("x", description="")
    shares: Share | tuple[Share, ...] = Field(0.5, description="")
    systems: tuple[str | None, ...] = Field((None,), description="")
    many: tuple[str, ...] = Field(("a long text",) * 9, description="")


@pytest.mark.parametrize(
    ("name", "words", "default"),
    [
        ("needed", "whole number >= 1 <= 9", "required"),
        ("flag", "true or false", "false"),
        ("mode", "a | b", '"a"'),
        ("only", "a", '"a"'),
        ("maybe", "text | null", "null"),
        ("roles", "text | list of text", '"x"'),
        ("shares", "number >= 0 < 1 | list of number >= 0 < 1", "0.5"),
        ("systems", "list of (text | null)", "[null]"),
        ("many", "list of text", '["a long text", "a long text", "a long …'),
    ],
)
def test_settings_in_words(name: str, words: str, default: str) -> None:
    schema = Config.model_json_schema()["properties"][name]
    assert type_words(schema) == words
    assert default_words(schema) == default


def test_tables() -> None:
    rows = [("x", "a|b"), ("longer", "c")]
    assert text_table(("n", "what"), rows) == "n       what\nx       a|b\nlonger  c"
    assert markdown_table(("n", "what"), rows).splitlines()[2] == "| x | a\\|b |"
