"""The shipped schema is what the models say, and agrees with `check` about recipes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.recipe.catalog import builtin_names, find_stage, load_catalog
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.jsonschema import recipe_schema
from pipeline.recipe.recipe_io import read_recipe
from tests.pipeline.fakes import CATALOG, GOOD

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def errors(recipe: Any, schema: dict[str, Any]) -> list[str]:
    checker = jsonschema.Draft202012Validator(schema)
    return [error.message for error in checker.iter_errors(recipe)]


def made_up() -> dict[str, Any]:
    return recipe_schema(CATALOG)


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(made_up())


def test_good_recipe() -> None:
    assert errors(yaml.safe_load(GOOD), made_up()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rows: 8", "rows: lots"),
        ("rows: 8", "rows: 0"),
        ("rows: 8", "rowz: 8"),
        ("stage: make", "stage: mkae"),
        ("stage: pair", "stage: export_dpo"),
        ("stage: make, rows: 8", "stage: read"),
        ("config: dpo", "config: kto"),
        ("config: dpo", "config: dpo, layout: other"),
        ("seed: 7", "sede: 7"),
        ("name: test\n", ""),
    ],
)
def test_bad_recipes(old: str, new: str) -> None:
    assert old in GOOD
    assert errors(yaml.safe_load(GOOD.replace(old, new)), made_up())


def test_the_shipped_file_is_up_to_date() -> None:
    shipped = json.loads((ROOT / "schemas/recipe.schema.json").read_text(encoding="utf-8"))
    assert shipped == recipe_schema(load_catalog()), (
        "write it again: prefmill schema > schemas/recipe.schema.json"
    )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_config_compiles_and_fits_the_schema(path: Path) -> None:
    plan = compile_recipe(read_recipe(path))
    assert plan.recipe.name == path.stem
    assert (
        errors(yaml.safe_load(path.read_text(encoding="utf-8")), recipe_schema(load_catalog()))
        == []
    )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_config_opens_with_its_schema_and_its_command(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../schemas/recipe.schema.json\n")
    assert re.search(rf"^#   prefmill (run|refresh) configs/{path.name}( |$)", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rows: 8", "rowz: 8", "('rowz' was unexpected)"),
        ("stage: make", "stage: mkae", "'mkae' is not one of ['make', 'read'"),
        ("stage: pair", "stage: pair, strategy: best", "'best' is not one of ['best_worst'"),
        ("seed: 7", "sede: 7", "('sede' was unexpected)"),
        ("config: dpo", "config: dpp", "'dpp' is not one of ['dpo']"),
    ],
)
def test_a_typo_is_told_once_and_where_it_is(old: str, new: str, told: str) -> None:
    (message,) = errors(yaml.safe_load(GOOD.replace(old, new)), made_up())
    assert told in message


def test_an_editor_is_offered_every_stage_with_what_it_does() -> None:
    catalog = load_catalog()
    schema = recipe_schema(catalog)["properties"]
    for section, tag in (("stages", "stage"), ("export", "config")):
        choice = schema[section]["items"]["properties"][tag]
        assert len(choice["enum"]) == len(choice["enumDescriptions"])
    offered = schema["stages"]["items"]["properties"]["stage"]
    assert offered["enum"] == list(catalog.steps)
    assert dict(zip(*offered.values(), strict=True))["pair"] == catalog.steps["pair"].summary


def described(schema: Any, where: str) -> list[str]:
    """Settings at any depth of a schema that say nothing of themselves."""
    found = []
    for name, value in schema.get("properties", {}).items():
        place = f"{where}.{name}"
        if not value.keys() & {"description", "enumDescriptions", "$ref"}:
            found.append(place)
        found += described(value, place)
    return found


def test_everything_in_the_schema_is_described_and_closed() -> None:
    schema = recipe_schema(load_catalog())
    places = [("recipe", schema), *schema["$defs"].items()]
    assert [name for where, each in places for name in described(each, where)] == []
    closed = [where for where, each in places if each.get("additionalProperties") is False]
    assert closed == [where for where, each in places if "properties" in each]
    assert len(json.dumps(schema)) < 200_000, "an editor reads it at every start"


@pytest.mark.parametrize("name", builtin_names())
def test_every_setting_is_described(name: str) -> None:
    for field, info in find_stage(name).config.model_fields.items():
        assert info.description, field
