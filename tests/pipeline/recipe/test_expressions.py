"""What `check` says of expressions over columns, with the stages that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from schemas.errors import Problem, RecipeError
from tests.pipeline.fakes import write

RECIPE = """\
name: mixed
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 4}
  - {stage: respond, model: policy, n: 2}
  - {stage: judge, model: policy}
  - {stage: pair}
  - stage: filter
    where: margin >= 0.2 and words(prompt) < 100
  - {stage: quality_mix, by: margin * len(chosen), keep: 0.5, stratify: source}
export:
  - {config: dpo}
"""


def problems(folder: Path, old: str, new: str) -> list[Problem]:
    assert old in RECIPE
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read_recipe(write(folder, RECIPE.replace(old, new)), (), None))
    return list(caught.value.problems)


def test_expressions_read_the_columns_that_they_name(tmp_path: Path) -> None:
    plan = compile_recipe(read_recipe(write(tmp_path, RECIPE), (), None))
    filtered, mixed = plan.steps[-2:]
    assert [column.name for column in filtered.stage.reads] == ["messages", "margin"]
    assert [c.name for c in mixed.stage.reads] == ["messages", "margin", "chosen", "source"]


def test_a_column_that_nobody_makes_has_a_nearest_name(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "margin >= 0.2", "margn >= 0.2")
    assert problem.seen == "`filter` reads column `margn`, which is not there"
    assert problem.advice == "no stage makes it; did you mean `margin`?"


def test_a_mistake_is_shown_at_its_place(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "words(prompt) < 100", "wrds(prompt) < 100")
    assert (problem.key, problem.line) == ("stages[4].where", 10)
    first, shown, caret = problem.seen.split("\n")
    assert first == "no function `wrds`; did you mean `words`?, at character 19"
    assert shown[caret.index("^") :].startswith("wrds(prompt)")


def test_a_column_before_it_is_made_is_missed(tmp_path: Path) -> None:
    late = "  - {stage: quality_mix, name: first, by: margin, keep: 2}\n"
    (problem,) = problems(tmp_path, "  - {stage: pair}\n", late + "  - {stage: pair}\n")
    assert problem.seen == "`quality_mix` reads column `margin`, which is not there"
    assert "move it before this step" in problem.advice
