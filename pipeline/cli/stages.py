"""`prefmill stages`: the table of stages, or one stage in full. Generated from the records."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterable
from typing import Any

from pipeline.cli.type_words import default_words, type_words
from pipeline.recipe.catalog import Catalog, find_stage, load_catalog
from pipeline.tables import markdown_table, text_table
from schemas.columns import Column
from schemas.stage import Stage

_HEADER = ("stage", "effect", "scope", "what it does")


def handle(args: argparse.Namespace) -> int:
    """Show all stages, or the one that is named."""
    if args.name:
        stage = find_stage(args.name)
        print(json.dumps(_facts(stage), indent=2) if args.json else _page(stage, args.markdown))
        return 0
    catalog = load_catalog()
    for name, reason in catalog.broken.items():
        print(f"prefmill: plugin `{name}` is left out: {reason}", file=sys.stderr)
    records = [*catalog.steps.values(), *catalog.exporters.values()]
    if args.json:
        print(json.dumps([_facts(stage) for stage in records], indent=2))
    else:
        print(stage_table(catalog) if args.markdown else text_table(_HEADER, _rows(catalog)))
    return 0


def stage_table(catalog: Catalog) -> str:
    """The table of stages in Markdown, as the README shows it."""
    rows = [(f"`{name}`", *rest) for name, *rest in _rows(catalog)]
    return markdown_table(_HEADER, rows)


def _rows(catalog: Catalog) -> list[tuple[str, str, str, str]]:
    steps = [(s.name, s.effect, s.scope, s.summary) for s in catalog.steps.values()]
    # Exporters are named under `export`, by config.
    exporters = [(s.name, "export", s.scope, s.summary) for s in catalog.exporters.values()]
    return [*steps, *exporters]


def _facts(stage: Stage[Any]) -> dict[str, Any]:
    return {
        "name": stage.name,
        "version": stage.version,
        "summary": stage.summary,
        "effect": stage.effect,
        "scope": stage.scope,
        "reads": _names(stage.reads),
        "optional": _names(stage.optional),
        "writes": _names(stage.writes),
        "extends": _names(stage.extends),
        "drops": _names(stage.drops),
        "config": stage.config.model_json_schema(),
    }


def _names(columns: Iterable[Column]) -> list[str]:
    return [column.name for column in columns]


def _page(stage: Stage[Any], markdown: bool) -> str:
    """One stage in full: what it is, its settings, its columns."""
    table = markdown_table if markdown else text_table
    title = f"## {stage.name}" if markdown else stage.name
    module = inspect.getmodule(stage.run)
    parts = [f"{title} (version {stage.version}, {stage.effect}, scope {stage.scope})"]
    parts.append(inspect.cleandoc(module.__doc__ or "") if module else stage.summary)
    if settings := stage.config.model_json_schema().get("properties", {}):
        rows = [
            (name, type_words(schema), default_words(schema), schema.get("description", ""))
            for name, schema in settings.items()
        ]
        parts.append(table(("setting", "type", "default", "meaning"), rows))
    groups = {"reads": (*stage.reads, *stage.optional), "writes": (*stage.writes, *stage.extends)}
    for verb, columns in groups.items():
        if columns:
            parts.append(table((verb, "meaning"), [(c.name, c.doc) for c in columns]))
    return "\n\n".join(parts)
