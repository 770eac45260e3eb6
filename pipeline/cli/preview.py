"""`prefmill preview`: follow a few rows through every step."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Run a few rows through the recipe in a temporary folder and show what becomes of them.

    Raises:
        PrefmillError: what ended it early, once the steps before were shown.
    """
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe

    plan = compile_recipe(read_recipe(Path(args.recipe), args.set, args.rows))

    from pipeline.cli.preview_text import show_preview
    from pipeline.runtime.preview import preview_json, preview_rows
    from pipeline.runtime.progress import Progress

    progress = Progress(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="prefmill-preview-") as folder:
        try:
            found = preview_rows(plan, Path(folder), progress)
        finally:
            progress.console.close()
    if args.json:
        print(json.dumps(preview_json(found), indent=2, ensure_ascii=False))
    else:
        show_preview(found, args.full)
    if found.error is not None:
        raise found.error
    return 0
