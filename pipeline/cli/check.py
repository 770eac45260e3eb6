"""`prefmill check`: every mistake of a recipe at once."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from schemas.errors import RecipeError


def handle(args: argparse.Namespace) -> int:
    """Compile the recipe; say what is wrong with it, or that nothing is.

    Raises:
        RecipeError: the recipe is wrong, unless the answer is wanted as JSON.
    """
    try:
        plan = compile_recipe(read_recipe(args.recipe, args.set))
    except RecipeError as error:
        if not args.json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        print(json.dumps({"ok": False, "problems": problems}, indent=2, ensure_ascii=False))
        return error.exit_code
    if args.json:
        print(json.dumps({"ok": True, "problems": []}, indent=2))
        return 0
    steps = " > ".join(step.name for step in plan.steps)
    exports = ", ".join(entry.config for entry in plan.recipe.export)
    print(f"{args.recipe}: ok\n  steps:   {steps}\n  exports: {exports}")
    return 0
