"""`prefmill refresh`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from schemas.errors import InputError


def handle(args: argparse.Namespace) -> int:
    """Add what is new to a dataset; what came of it goes to standard output.

    Raises:
        InputError: as `pipeline.release.refresh`, or --out with a folder.
    """
    from pipeline.cli.settings import overrides
    from pipeline.hub.push import PushOptions
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe
    from pipeline.release.places import FolderPlace, place_at
    from pipeline.release.refresh import Refresh
    from pipeline.runtime.watch import WatchOptions

    plan = compile_recipe(read_recipe(Path(args.recipe), overrides(args)))
    home = Path(args.out) if args.out else Path("runs") / f"{plan.recipe.name}-releases"
    place = place_at(args.into, PushOptions(needs_license=not args.no_license), home, _tell)
    if isinstance(place, FolderPlace):
        if args.out:
            raise InputError(
                f"--out {args.out}: the work goes into the folder that --into names; --out is for "
                "repos and URLs"
            )
        home = place.home
    done = Refresh(
        plan,
        args.recipe,
        place,
        home,
        args.argv,
        _tell,
        WatchOptions(args.quiet),
        publishes=not args.no_push,
        needs_license=not args.no_license,
    ).run()
    text = json.dumps(done.as_json(), indent=2, ensure_ascii=False) if args.json else done.as_text()
    print(text)
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
