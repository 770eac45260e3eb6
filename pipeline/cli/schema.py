"""`prefmill schema`: the JSON Schema of recipes, plugins included."""

from __future__ import annotations

import argparse
import json

from pipeline.recipe.catalog import load_catalog
from pipeline.recipe.jsonschema import recipe_schema


def handle(args: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(recipe_schema(load_catalog()), indent=2, ensure_ascii=False))
    return 0
