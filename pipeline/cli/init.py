"""`prefmill init`: a commented recipe to start from, with its data, and a schema for the editor."""

from __future__ import annotations

import argparse
import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.recipe.catalog import load_catalog
from pipeline.recipe.jsonschema import recipe_schema
from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.yaml_io import parse_yaml
from pipeline.tables import text_table
from schemas.errors import InputError

_SCHEMA_FILE = "recipe.schema.json"


def handle(args: argparse.Namespace) -> int:
    """Write a template and the files that it reads; never over a file of the user's.

    Raises:
        InputError: no such template, or a file is in the way, or the folder cannot be written.
    """
    if args.list:
        rows = [(path.stem, _about(path)) for path in _templates()]
        print(text_table(("template", "what it makes"), rows))
        return 0
    folder = Path(args.dir)
    recipe = folder / f"{args.template}.yaml"
    files = _files(args.template)
    for name, content in files.items():
        _refuse_other(folder / name, None if folder / name == recipe else content)
    schema = json.dumps(recipe_schema(load_catalog()), indent=2, ensure_ascii=False)
    files[_SCHEMA_FILE] = (schema + "\n").encode()
    for name, content in files.items():
        _write(folder / name, content)
    print(f"wrote {', '.join(str(folder / name) for name in files)}")
    print(f"next:\n  prefmill check {recipe}\n  prefmill preview {recipe}")
    return 0


def _refuse_other(path: Path, content: bytes | None) -> None:
    """What is there must be `content`; None: nothing may be there."""
    if path.exists() and not (path.is_file() and path.read_bytes() == content):
        raise InputError(f"{path} is there already; name another folder or move it away")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def _files(name: str) -> dict[str, bytes]:
    """A template, its own place in it rewritten, and the files it names, by where they belong."""
    found = {path.stem: path for path in _templates()}
    if name not in found:
        advice = did_you_mean(name, found)
        raise InputError(f"there is no template `{name}`; known: {', '.join(found)}. {advice}")
    text = found[name].read_text(encoding="utf-8")
    files = {}
    for value in _texts(parse_yaml(text, name).value):
        if _is_beside(value) and (beside := found[name].parent / value).is_file():
            files[value] = beside.read_bytes()
    text = text.replace(f"../schemas/{_SCHEMA_FILE}", _SCHEMA_FILE)
    return {f"{name}.yaml": text.replace("configs/", "").encode(), **files}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a recipe; those that are paths of files beside it come along."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else ():
        yield from _texts(inner)
    for inner in value if isinstance(value, list) else ():
        yield from _texts(inner)


def _is_beside(text: str) -> bool:
    path = Path(text)
    return "\n" not in text and not path.is_absolute() and ".." not in path.parts and "/" in text


def _about(path: Path) -> str:
    """The first sentence of the comment that a template opens with."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    comment = " ".join(line.removeprefix("#").strip() for line in _comment(lines))
    return comment.strip().split(". ")[0].split("; ")[0].rstrip(".")


def _comment(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("#") or line.startswith("#   prefmill"):
            return
        yield line


def _templates() -> list[Path]:
    """The recipes to start from: in a checkout beside the packages, else where installed."""
    checkout = Path(__file__).parents[2] / "configs"
    installed = Path(sysconfig.get_path("data")) / "share" / "prefmill" / "configs"
    return sorted((checkout if checkout.is_dir() else installed).glob("*.yaml"))
