"""`prefmill check`: every mistake of a recipe at once, or all that is wrong with a dataset."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from schemas.errors import DatasetError, InputError, Problem, RecipeError


def handle(args: argparse.Namespace) -> int:
    """Say what is wrong with a recipe or a dataset folder, or that nothing is.

    Raises:
        RecipeError, DatasetError: something is, unless the answer is wanted as JSON.
        InputError: a folder that holds no dataset.
    """
    check = _dataset if Path(args.recipe).is_dir() else _recipe
    try:
        told = check(args)
    except (RecipeError, DatasetError) as error:
        if not args.json:
            raise
        _print_json(error.problems)
        return error.exit_code
    if args.json:
        _print_json(())
    else:
        print(f"{args.recipe}: ok\n{told}")
    return 0


def _print_json(problems: Sequence[Problem]) -> None:
    found = [asdict(problem) for problem in problems]
    print(json.dumps({"ok": not found, "problems": found}, indent=2, ensure_ascii=False))


def _recipe(args: argparse.Namespace) -> str:
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe

    plan = compile_recipe(read_recipe(args.recipe, args.set))
    steps = " > ".join(step.name for step in plan.steps)
    exports = ", ".join(dict.fromkeys(entry.config for entry in plan.recipe.export))
    views = ", ".join(f"{config} as {layout}" for config, layout in plan.views)
    told = f"  steps:   {steps}\n  exports: {exports}"
    return f"{told}\n  views:   {views}" if views else told


def _dataset(args: argparse.Namespace) -> str:
    from pipeline.dataset.check import check_dataset
    from pipeline.dataset.read import open_dataset

    if args.set:
        raise InputError(f"--set changes a recipe, but {args.recipe} is a folder. Drop --set.")
    try:
        dataset = open_dataset(Path(args.recipe))
    except InputError as error:
        if not args.json:
            raise
        raise DatasetError([Problem("", str(error), file=args.recipe)]) from None
    if problems := check_dataset(dataset):
        raise DatasetError(problems)
    lines = (
        f"  {name}: " + ", ".join(f"{split} {n:,}" for split, n in dataset.splits(name).items())
        for name in dataset.configs
    )
    return "\n".join(lines)
