"""Whatever stands in a recipe, the answer is a Plan or a list of problems, never a crash."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from pipeline.recipe import compile as compiler
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.plan import Plan
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.yaml_io import KeyPath, parse_yaml
from schemas.errors import RecipeError
from tests.pipeline.fakes import CATALOG, GOOD

DOCUMENT = parse_yaml(GOOD, "recipe.yaml")
PLACES: list[KeyPath] = [*DOCUMENT.lines, ("placement",), ("gates",), ("card",), ("stages", 0, "x")]
WORDS = st.sampled_from(["policy", "make", "pair", "dpo", "score", "openai", "", "trl"])
LEAVES = st.none() | st.booleans() | st.integers(-1, 9) | st.floats(-1, 2) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def put(data: Any, path: KeyPath, value: object) -> None:
    """Put a value at a place, unless an earlier change has removed the place."""
    for step in path[:-1]:
        if not isinstance(data, dict | list):
            return
        inside = step in data if isinstance(data, dict) else isinstance(step, int)
        if not inside or (isinstance(data, list) and len(data) <= int(step)):
            return
        data = data[step]
    last = path[-1]
    if isinstance(data, dict) or (isinstance(data, list) and last in range(len(data))):
        data[last] = value


@given(
    st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4),
    st.none() | st.integers(1, 5),
)
def test_compiling_ends_in_a_plan_or_in_problems(
    changes: list[tuple[KeyPath, object]], limit: int | None
) -> None:
    data = copy.deepcopy(DOCUMENT.value)
    for path, value in changes:
        put(data, path, value)
    source = RecipeSource(Path("recipe.yaml"), data, DOCUMENT.lines, limit=limit)
    before = copy.deepcopy(data)
    with patch.object(compiler, "load_catalog", lambda: CATALOG):
        try:
            assert isinstance(compile_recipe(source), Plan)
        except RecipeError as error:
            assert error.problems
            assert all(problem.seen for problem in error.problems)
    assert data == before
