"""`prefmill run`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Run a recipe; the summary goes to standard output, progress to standard error."""
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe

    plan = compile_recipe(read_recipe(Path(args.recipe), args.set, args.limit))

    from pipeline.runtime.job import run_job
    from pipeline.runtime.progress import Progress

    out = Path(args.out) if args.out else Path("runs") / plan.recipe.name
    progress = Progress(sys.stderr, quiet=args.quiet)
    summary = run_job(plan, out, args.resume, progress, overwrite=args.overwrite)
    print(json.dumps(summary.as_json(), indent=2) if args.json else summary.as_text())
    return 0
