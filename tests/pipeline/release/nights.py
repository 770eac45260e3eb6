"""A dataset that grows in a folder of the test's own, with a scripted model in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.dataset.read import DatasetFolder, open_dataset

RECIPE = """
name: nightly
seed: 7
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: load_prompts, path: prompts.jsonl, prompt: prompt}
  - {stage: dedup}
  - {stage: respond, model: policy, n: 3}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
export:
  - {config: dpo}
  - {config: kto}
  - {config: signatures, after: dedup}
splits: {validation: 0.2, test: 0.2}
placement: {workers: 0, part_rows: 4}
"""


def prompt(number: int) -> str:
    """Different words for different numbers, so that no two prompts are nearly the same."""
    return f"Why is {number} less than {number + 1}, and what of {number * number}?"


class Nights:
    """A recipe, its file of prompts, and the dataset that they make night by night."""

    def __init__(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str] | None = None,
        into: str | None = None,
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.recipe = folder / "nightly.yaml"
        self.into = into
        self.capsys = capsys
        folder.mkdir(parents=True, exist_ok=True)
        self.write(RECIPE)

    def write(self, recipe: str) -> None:
        self.recipe.write_text(recipe)

    def replace(self, old: str, new: str) -> None:
        text = self.recipe.read_text()
        assert old in text
        self.write(text.replace(old, new))

    def prompts(self, numbers: Iterable[int]) -> None:
        lines = (json.dumps({"prompt": prompt(number)}) + "\n" for number in numbers)
        (self.folder / "prompts.jsonl").write_text("".join(lines))

    def refresh(self, *options: str) -> int:
        home = str(self.home)
        place = ["--into", home] if self.into is None else ["--into", self.into, "--out", home]
        return main(["refresh", str(self.recipe), *place, "--quiet", "--json", *options])

    def told(self, *options: str) -> dict[str, Any]:
        """Refresh, which must end well, and return what it says of it."""
        assert self.capsys is not None
        self.capsys.readouterr()
        code = self.refresh(*options)
        captured = self.capsys.readouterr()
        assert code == 0, captured.err
        told: dict[str, Any] = json.loads(captured.out)
        return told

    def refused(self, code: int, *options: str) -> str:
        """Refresh, which must be refused, and return why."""
        assert self.capsys is not None
        self.capsys.readouterr()
        assert self.refresh(*options) == code
        return self.capsys.readouterr().err

    @property
    def dataset(self) -> DatasetFolder:
        return open_dataset(self.home)

    def files(self) -> dict[str, bytes]:
        """The dataset, byte for byte."""
        folder = self.home / "dataset"
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    def asked(self, config: str = "dpo", split: str | None = None) -> list[str]:
        """The prompts of a config, in its order."""
        tables = self.dataset.tables(config, split, columns=["prompt"])
        return [row["prompt"][-1]["content"] for table in tables for row in table.to_pylist()]


def requests(told: dict[str, Any], step: str) -> int:
    """How many requests a step made of its model."""
    (line,) = (line for line in told["run"]["steps"] if line["step"] == step)
    count: int = line["usage"]["requests"]
    return count
