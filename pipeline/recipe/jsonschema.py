"""The JSON Schema of recipes: what an editor needs to complete and check one.

Made from the models, with one variant per stage told apart by `stage`, and one per exporter told
apart by `config`. What pydantic leaves open there (`extra="allow"`) is closed here. Variants hang
on `if`, not on `oneOf`: there an editor offers, for a step without settings yet, only the stages
that need none, and what is wrong with a step is told of all of them.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pipeline.recipe.catalog import EXPORT_PREFIX, Catalog
from pipeline.recipe.resolve_exports import layouts_of, own_layouts
from schemas.recipe import ExportEntry, Recipe, StageEntry
from schemas.stage import Stage

Schema = dict[str, Any]
_LAYOUT_DOC = ExportEntry.model_fields["layout"].description


def recipe_schema(catalog: Catalog) -> Schema:
    """The JSON Schema (2020-12) of a recipe that may use the stages of `catalog`."""
    records = [*catalog.steps.values(), *catalog.exporters.values()]
    models: list[type[BaseModel]] = [Recipe, StageEntry, ExportEntry]
    models += [record.config for record in records]
    refs, whole = models_json_schema([(model, "validation") for model in models])
    definitions: dict[str, Schema] = whole["$defs"]

    def taken(model: type[BaseModel]) -> Schema:
        return definitions.pop(refs[(model, "validation")]["$ref"].removeprefix("#/$defs/"))

    recipe, stage_entry, export_entry = taken(Recipe), taken(StageEntry), taken(ExportEntry)
    configs = {config: taken(config) for config in {record.config for record in records}}
    for stage in catalog.steps.values():
        definitions[_key(stage)] = _variant(stage, stage_entry, configs[stage.config], "stage")
    for stage in catalog.exporters.values():
        variant = _variant(stage, export_entry, configs[stage.config], "config")
        definitions[_key(stage)] = _with_layouts(variant, stage)
    recipe["properties"]["stages"]["items"] = _choice(list(catalog.steps.values()), "stage")
    recipe["properties"]["export"]["items"] = _choice(list(catalog.exporters.values()), "config")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "prefmill recipe",
        **_untitled(recipe),
        "$defs": {name: _untitled(definitions[name]) for name in sorted(definitions)},
    }


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of names: a quarter of the file, and said twice."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _untitled(each) for name, each in value.items()}
        if key == "properties"
        else _untitled(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def _key(stage: Stage[Any]) -> str:
    return stage.name if stage.name.startswith(EXPORT_PREFIX) else f"stage_{stage.name}"


def _choice(records: list[Stage[Any]], tag: str) -> Schema:
    """An entry that is what its `tag` says."""
    names = [_name(record, tag) for record in records]
    summaries = [record.summary for record in records]
    return {
        "type": "object",
        "required": [tag],
        "properties": {tag: {"enum": names, "enumDescriptions": summaries}},
        "allOf": [
            {
                "if": {"properties": {tag: {"const": name}}, "required": [tag]},
                "then": {"$ref": f"#/$defs/{_key(record)}"},
            }
            for record, name in zip(records, names, strict=True)
        ],
    }


def _name(stage: Stage[Any], tag: str) -> str:
    return stage.name.removeprefix(EXPORT_PREFIX) if tag == "config" else stage.name


def _with_layouts(variant: Schema, stage: Stage[Any]) -> Schema:
    """An exporter's variant with the views of what it writes among its layouts."""
    if not own_layouts(stage):
        return variant
    properties = variant["properties"]
    layout = {key: value for key, value in properties["layout"].items() if key != "const"}
    layout |= {"enum": list(layouts_of(stage)), "description": _LAYOUT_DOC}
    return variant | {"properties": properties | {"layout": layout}}


def _variant(stage: Stage[Any], entry: Schema, config: Schema, tag: str) -> Schema:
    """What one stage (or exporter) may have: its name, the entry's own keys, its settings."""
    properties = entry["properties"] | config.get("properties", {})
    described = {key: value for key, value in properties[tag].items() if key == "description"}
    return {
        "type": "object",
        "description": stage.summary,
        "properties": properties | {tag: {"const": _name(stage, tag), **described}},
        "required": [tag, *config.get("required", [])],
        "additionalProperties": False,
    }
