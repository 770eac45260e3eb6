"""`prefmill preview`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Run a few rows through the recipe in a temporary folder and show what becomes of them."""
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe

    # Gates are for datasets; in this process there is nothing to start and stop.
    overrides = [*args.set, "gates.min_rows=1", "placement.workers=0"]
    plan = compile_recipe(read_recipe(Path(args.recipe), overrides, args.rows))

    from pipeline.runtime.preview import preview_rows, preview_text
    from pipeline.runtime.progress import Progress

    with tempfile.TemporaryDirectory(prefix="prefmill-preview-") as folder:
        shown = preview_rows(plan, Path(folder), Progress(sys.stderr))
    print(json.dumps(shown, indent=2, ensure_ascii=False) if args.json else preview_text(shown))
    return 0
