"""What several tests share: a Context over scripted models, with a chat format one can read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa

from pipeline.engines.plain_chat import PlainChat
from pipeline.engines.scripted import ScriptedGenerator
from schemas.arrow import arrow_schema
from schemas.batch import Batch
from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD
from schemas.models import ChatFormat, Embedder, Generator, HiddenReader, Model, Rewarder
from schemas.stage import Decision, Stage, StageConfig

__all__ = [
    "QUICKSTART",
    "FakeContext",
    "PlainChat",
    "given_table",
    "run_pass",
    "run_recipe",
]

T = TypeVar("T")


class FakeContext:
    """A `schemas.stage.Context` for tests of one stage."""

    def __init__(
        self,
        models: Mapping[str, Model] | None = None,
        *,
        stage: str = "test",
        recipe_seed: int = 7,
        chat: ChatFormat | None = None,
        given: Mapping[str, pa.Table] | None = None,
        before: pa.Table | None = None,
    ) -> None:
        self.stage = stage
        self.recipe_seed = recipe_seed
        self._models = dict(models or {"policy": ScriptedGenerator()})
        self._chat = chat or PlainChat()
        self._given = dict(given or {})
        self._made: dict[str, Any] = {}
        self.before = before

    def given(self, name: str) -> pa.Table:
        return self._given[name]

    def once(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

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


def run_pass(
    stage: Stage[Any],
    config: StageConfig,
    parts: Sequence[pa.Table],
    context: FakeContext | None = None,
) -> tuple[list[Batch], Decision]:
    """The dataset pass of a stage over what it sees of some parts, round by round.

    Sketches and decisions are held to their contract as a runner does.
    """
    assert stage.dataset_pass is not None
    context = context or FakeContext()
    context.before, before = None, None
    while True:
        sketches = []
        for number, part in enumerate(parts):
            context.before = before[number] if before else None
            sketches.append(stage.dataset_pass.sketch(Batch(part), config, context))
            assert sketches[-1].column("row_id").equals(part.column("row_id"))
        context.before = pa.concat_tables(before) if before else None
        decision = stage.dataset_pass.decide(pa.concat_tables(sketches), config, context)
        starts = [0, *accumulate(len(part) for part in parts)]
        before = [
            decision.rows.slice(start, len(p)) for start, p in zip(starts, parts, strict=False)
        ]
        for part, rows in zip(parts, before, strict=True):
            assert rows.column("row_id").equals(part.column("row_id"))
        json.dumps(dict(decision.figures))
        if not decision.again:
            break
    apply = stage.dataset_pass.apply
    return [apply(Batch(p), r, config) for p, r in zip(parts, before, strict=True)], decision


def given_table(records: Sequence[Any]) -> pa.Table:
    """What a runner gives a stage of a file with these records."""
    rows = [
        {"raw_record": json.dumps(record), "raw_place": f"a.jsonl:{n}", "raw_problem": None}
        for n, record in enumerate(records, 1)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema((RAW_RECORD, RAW_PLACE, RAW_PROBLEM)))


QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.yaml"


def run_recipe(recipe: Path, out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run a recipe in a process of its own; returns the summary and what it said on the way."""
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--json"]
    done = subprocess.run(
        [*command, "--out", str(out), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr
