"""`prefmill refresh`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Add what is new to a dataset; what came of it goes to standard output."""
    from pipeline.cli.settings import overrides
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe
    from pipeline.release.refresh import refresh
    from pipeline.runtime.watch import WatchOptions

    plan = compile_recipe(read_recipe(Path(args.recipe), overrides(args)))
    options = WatchOptions(args.quiet)
    done = refresh(plan, Path(args.into), args.recipe, args.argv, options)
    print(json.dumps(done.as_json(), indent=2) if args.json else done.as_text())
    return 0
