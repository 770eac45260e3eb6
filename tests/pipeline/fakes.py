"""A small catalog of made-up stages, so that tests of compiling depend on no real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.recipe.catalog import Catalog
from schemas.batch import Batch
from schemas.columns import CHOSEN, JUDGEMENTS, MESSAGES, REJECTED, RESPONSES, SCORES, Column
from schemas.stage import Context, Location, ModelRole, Need, Positions, Stage, StageConfig
from schemas.types import INT


class MakeConfig(StageConfig):
    model: ModelRole = Field("policy", description="Who makes rows.")
    rows: int = Field(10, ge=1, description="How many.")
    temperature: float = Field(1.0, ge=0, le=2, description="How wild.")


class AnswerConfig(StageConfig):
    models: ModelRole | tuple[ModelRole, ...] = Field("policy", description="Who answers.")
    n: int = Field(2, ge=1, description="Answers each.")
    greedy: bool = Field(False, description="Whether the first is greedy.")


class PairConfig(StageConfig):
    strategy: Literal["best_worst", "random"] = Field("best_worst", description="How.")
    labeller: str | None = Field(None, description="Whose scores.")


class ReadConfig(StageConfig):
    path: Location = Field(description="What to read.")
    limit: int | None = Field(None, ge=1, description="At most so many.")


class NoConfig(StageConfig):
    """Nothing to set."""


class ExportConfig(StageConfig):
    layout: Literal["trl"] = Field("trl", description="Whose layout.")


def run(batch: Batch, config: Any, context: Context) -> Batch:
    return batch


def stage(name: str, config: type[StageConfig], **rest: Any) -> Stage[Any]:
    return Stage(name, 1, f"Does {name}", config, run, **rest)


def _make_needs(config: MakeConfig) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("raw_prompt",))),)


def _answer_needs(config: AnswerConfig) -> tuple[Need, ...]:
    wanted = frozenset(("generate",))
    if isinstance(config.models, str):
        return (Need("models", config.models, wanted),)
    return tuple(Need(f"models[{i}]", role, wanted) for i, role in enumerate(config.models))


WRONG_RESPONSES = Column("responses", INT, "not what `score` reads")

MAKE = stage(
    "make",
    MakeConfig,
    effect="source",
    writes=(MESSAGES,),
    feed=lambda config: Positions(config.rows),
    needs=_make_needs,
)
READ = stage("read", ReadConfig, effect="source", writes=(MESSAGES,))
ANSWER = stage(
    "answer",
    AnswerConfig,
    effect="map",
    reads=(MESSAGES,),
    writes=(RESPONSES,),
    needs=_answer_needs,
)
SCORE = stage("score", NoConfig, effect="map", reads=(RESPONSES,), extends=(SCORES,))
COUNT = stage("count", NoConfig, effect="map", writes=(WRONG_RESPONSES,))
PAIR = stage(
    "pair",
    PairConfig,
    effect="expand",
    reads=(RESPONSES, SCORES),
    optional=(JUDGEMENTS,),
    writes=(CHOSEN, REJECTED),
    drops=(RESPONSES, SCORES),
)
EXPORT = stage("export_dpo", ExportConfig, effect="map", reads=(MESSAGES, CHOSEN, REJECTED))

CATALOG = Catalog(
    {s.name: s for s in (MAKE, READ, ANSWER, SCORE, COUNT, PAIR)},
    {"export_dpo": EXPORT},
    {"torn": "`torn_package:STAGE` cannot be imported: ImportError: no module named torn"},
)

GOOD = """\
name: test
seed: 7
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: make, rows: 8}
  - {stage: answer, n: 4}
  - {stage: score}
  - {stage: pair}
export:
  - {config: dpo}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path
