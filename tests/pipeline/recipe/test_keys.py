from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pipeline.recipe.catalog import builtin_names, find_stage
from pipeline.recipe.keys import encode, is_location, semantic_fields, stage_key
from pipeline.recipe.plan import Step
from schemas.columns import MESSAGES, RESPONSES, Column
from schemas.stage import Location, StageConfig
from schemas.types import INT
from tests.pipeline.fakes import MAKE, READ, AnswerConfig, MakeConfig, ReadConfig


class PlacesConfig(StageConfig):
    plain: Location = Field("a", description="One place.")
    maybe: Location | None = Field(None, description="A place or none.")
    many: tuple[Location, ...] = Field((), description="Places.")
    text: str = Field("x", description="No place.")
    maybe_text: str | None = Field(None, description="No place either.")


def make_step(config: StageConfig | None = None, name: str = "make") -> Step:
    return Step(0, name, MAKE, config or MakeConfig(), ())


def key(step: Step | None = None, **changes: Any) -> str:
    facts: dict[str, Any] = {
        "model_fingerprints": {"policy": "f1", "judge": "f2"},
        "prompt_hashes": {"rubric": "h1"},
        "input_digests": {"feed": "d1"},
        "upstream": "u1",
        "recipe_seed": 7,
    }
    return stage_key(step or make_step(), **(facts | changes))


def test_a_key_is_128_bits_of_hex() -> None:
    assert len(key()) == 32
    assert int(key(), 16) >= 0


@pytest.mark.parametrize(
    "changes",
    [
        {"model_fingerprints": {"policy": "f1", "judge": "f3"}},
        {"model_fingerprints": {"policy": "f2", "judge": "f1"}},
        {"model_fingerprints": {"policy": "f1"}},
        {"prompt_hashes": {"rubric": "h2"}},
        {"prompt_hashes": {}},
        {"input_digests": {"feed": "d2"}},
        {"input_digests": {}},
        {"input_digests": {"target": "d1"}},
        {"upstream": "u2"},
        {"upstream": None},
        {"recipe_seed": 8},
        {"step": make_step(name="other")},
        {"step": make_step(MakeConfig(rows=11))},
        {"step": make_step(MakeConfig(model="other"))},
        {"step": Step(0, "make", replace(MAKE, version=2), MakeConfig(), ())},
        {"step": Step(0, "make", replace(MAKE, name="made"), MakeConfig(), ())},
        {"step": Step(0, "make", replace(MAKE, writes=(MESSAGES, RESPONSES)), MakeConfig(), ())},
        {
            "step": Step(
                0, "make", replace(MAKE, writes=(Column("messages", INT, ""),)), MakeConfig(), ()
            )
        },
        {"step": Step(0, "make", replace(MAKE, optional=(RESPONSES,)), MakeConfig(), ())},
    ],
)
def test_whatever_decides_rows_changes_the_key(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


def test_order_of_mappings_and_place_in_the_recipe_do_not() -> None:
    assert key(model_fingerprints={"judge": "f2", "policy": "f1"}) == key()
    assert key(replace(make_step(), index=5)) == key()


def test_where_the_input_lies_does_not() -> None:
    here, there = (Step(0, "read", READ, ReadConfig(path=p), ()) for p in ("a.jsonl", "b/c.jsonl"))
    assert key(here) == key(there)
    assert key(Step(0, "read", READ, ReadConfig(path="a.jsonl", limit=3), ())) != key(here)


def test_documentation_of_columns_does_not() -> None:
    reworded = Column(MESSAGES.name, MESSAGES.type, "other words")
    assert key(Step(0, "make", replace(MAKE, writes=(reworded,)), MakeConfig(), ())) == key()


def test_locations_are_found_inside_other_types() -> None:
    found = {name: is_location(info) for name, info in PlacesConfig.model_fields.items()}
    assert found == {"plain": True, "maybe": True, "many": True, "text": False, "maybe_text": False}
    assert semantic_fields(PlacesConfig()) == {"text": "x", "maybe_text": None}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (None, "None"),
        ("1", 1),
        ("", None),
        (0.1 + 0.2, 0.3),
        (0.0, -0.0),
        (("ab", "c"), ("a", "bc")),
        (("a", ("b",)), ("a", "b")),
        ((), None),
        ({"a": 1}, {"b": 1}),
        ({"a": None}, {}),
        ({"a": "b"}, ("a", "b")),
    ],
)
def test_unlike_values_are_encoded_unlike(left: object, right: object) -> None:
    assert encode(left) != encode(right)


@pytest.mark.parametrize(
    "value", [{1, 2}, frozenset(), b"x", object(), {1: "a"}, [1j], ({"a": {3}},)]
)
def test_values_without_a_certain_encoding_are_errors(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be part of a key"):
        encode(value)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def tagged(value: object) -> object:
    """A value with its types spelled out, so that == tells 1 from True and 0.0 from -0.0."""
    if isinstance(value, list):
        return ["list", *map(tagged, value)]
    if isinstance(value, dict):
        return {name: tagged(inner) for name, inner in value.items()}
    return (type(value).__name__, repr(value))


@given(VALUES, VALUES)
def test_encodings_are_equal_just_when_values_are(left: object, right: object) -> None:
    assert (encode(left) == encode(right)) == (tagged(left) == tagged(right))


@given(st.dictionaries(st.text(max_size=4), st.integers(), max_size=5))
def test_the_order_of_keys_is_nothing(mapping: dict[str, int]) -> None:
    assert encode(dict(reversed(mapping.items()))) == encode(mapping)


def test_keys_are_the_same_under_any_hash_seed() -> None:
    code = "from tests.pipeline.recipe.test_keys import key; print(key())"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1", "4242")
    }
    assert seen == {key()}


def other_values(name: str, config: StageConfig) -> list[object]:
    """Values that a field of this Config could hold instead of the one it has."""
    value = getattr(config, name)
    candidates: list[object] = [None, not value if isinstance(value, bool) else "other", 3, 0.37]
    candidates += [("x",), ("x", "y"), (1,)]
    return [each for each in candidates if tagged(each) != tagged(value)]


@pytest.mark.parametrize("name", builtin_names())
def test_every_field_of_every_stage_is_in_its_key_or_a_location(name: str) -> None:
    stage = find_stage(name)
    # model_construct leaves out validation: what counts is which fields the key looks at.
    config = stage.config.model_construct()
    for field, info in stage.config.model_fields.items():
        if info.is_required():
            object.__setattr__(config, field, "required")
    before = key(Step(0, "s", stage, config, ()))
    for field, info in stage.config.model_fields.items():
        for value in other_values(field, config):
            after = key(Step(0, "s", stage, config.model_copy(update={field: value}), ()))
            assert (after == before) == is_location(info), field


def test_tuples_of_roles_are_in_the_key() -> None:
    steps = [make_step(AnswerConfig(models=models)) for models in (("a", "b"), ("b", "a"))]
    assert key(steps[0]) != key(steps[1])
