"""`prefmill init`: a commented recipe to start from, with its schema for the editor."""

from __future__ import annotations

import argparse
import json
import sysconfig
from pathlib import Path

from pipeline.recipe.catalog import load_catalog
from pipeline.recipe.jsonschema import recipe_schema
from pipeline.recipe.nearest import did_you_mean
from schemas.errors import InputError

_SCHEMA_FILE = "recipe.schema.json"


def handle(args: argparse.Namespace) -> int:
    """Write the template; never over a file that is there.

    Raises:
        InputError: no such template, or a file is in the way, or the folder cannot be written.
    """
    text = _template(args.template)
    folder = Path(args.dir)
    recipe = folder / f"{args.template}.yaml"
    if recipe.exists():
        raise InputError(f"{recipe} is there already; name another folder or move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        recipe.write_text(text, encoding="utf-8")
        schema = json.dumps(recipe_schema(load_catalog()), indent=2, ensure_ascii=False)
        (folder / _SCHEMA_FILE).write_text(schema + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error
    print(f"wrote {recipe} and {folder / _SCHEMA_FILE}; next:\n  prefmill check {recipe}")
    return 0


def _template(name: str) -> str:
    """A recipe of `configs/`, with its own place in it rewritten."""
    found = {path.stem: path for path in sorted(_configs().glob("*.yaml"))}
    # A recipe that reads a file beside it is of no use elsewhere.
    texts = {stem: path.read_text(encoding="utf-8") for stem, path in found.items()}
    alone = {stem: text for stem, text in texts.items() if "path:" not in text}
    if name not in alone:
        advice = did_you_mean(name, alone)
        raise InputError(f"there is no template `{name}`; known: {', '.join(alone)}. {advice}")
    text = alone[name].replace(f"../schemas/{_SCHEMA_FILE}", _SCHEMA_FILE)
    return text.replace(f"configs/{name}.yaml", f"{name}.yaml")


def _configs() -> Path:
    """The folder of recipes: in a checkout beside the packages, else where they are installed."""
    checkout = Path(__file__).parents[2] / "configs"
    if checkout.is_dir():
        return checkout
    return Path(sysconfig.get_path("data")) / "share" / "prefmill" / "configs"
