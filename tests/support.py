"""What several tests share: a Context over scripted models, with a chat format one can read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.scripted import ScriptedGenerator
from schemas.models import ChatFormat, Embedder, Generator, HiddenReader, Model, Rewarder

__all__ = ["QUICKSTART", "FakeContext", "PlainChat", "run_recipe"]


class FakeContext:
    """A `schemas.stage.Context` for tests of one stage."""

    def __init__(
        self,
        models: Mapping[str, Model] | None = None,
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
        return cast(Generator, self._models[role])

    def hidden_reader(self, role: str) -> HiddenReader:
        return cast(HiddenReader, self._models[role])

    def rewarder(self, role: str) -> Rewarder:
        return cast(Rewarder, self._models[role])

    def embedder(self, role: str) -> Embedder:
        return cast(Embedder, self._models[role])

    def chat(self, role: str) -> ChatFormat:
        return self._chat

    def model_name(self, role: str) -> str:
        return f"{role}:scripted"


QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"


def run_recipe(recipe: Path, out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run a recipe in a process of its own; returns the summary and what it said on the way."""
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--json"]
    done = subprocess.run(
        [*command, "--out", str(out), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr
