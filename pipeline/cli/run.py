"""`prefmill run`."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Run a recipe; the summary goes to standard output, progress to standard error.

    Raises:
        InputError: two things want standard output.
    """
    from pipeline.cli.settings import overrides
    from pipeline.recipe.compile import compile_recipe
    from pipeline.recipe.recipe_io import read_recipe

    events_only = args.events == "-"
    if events_only and args.json:
        from schemas.errors import InputError

        raise InputError(
            "--json and --events - both write to standard output. Drop --json: the last event, "
            "run_ended, holds the same summary; or name a file with --events."
        )
    plan = compile_recipe(read_recipe(Path(args.recipe), overrides(args), args.limit))
    out = Path(args.out) if args.out else Path("runs") / plan.recipe.name
    with ExitStack() as undo:
        if not (out / "run.json").exists() and plan.recipe.placement.starts_workers_here:
            from pipeline.runtime.nursery import close_nursery, open_nursery

            undo.callback(close_nursery)
            # A new run is sure to need workers: they start while this one imports.
            open_nursery(plan.preload)

        from pipeline.runtime.job import run_job
        from pipeline.runtime.watch import WatchOptions, watching

        options = WatchOptions(args.quiet, args.events, args.metrics)
        with watching(plan.recipe.name, out, args.argv, options) as watch:
            done = run_job(plan, out, args.resume, watch.progress, overwrite=args.overwrite)
            summary = watch.finish(done)
    text = json.dumps(summary.as_json(), indent=2) if args.json else summary.as_text()
    told = sys.stderr if events_only else sys.stdout
    print(text, file=told, flush=True)
    page = None if args.no_report else _report(out, is_new=any(not s.reused for s in summary.steps))
    if page is not None and not args.json:
        print(f"  {page}  report", file=told)
    return 0


def _report(out: Path, *, is_new: bool) -> Path | None:
    """Write the report, if there is anything that an earlier one may not have; returns where."""
    from pipeline.report.report import PAGE, report_or_tell

    if not is_new and (out / PAGE).is_file():
        return out / PAGE
    return report_or_tell(out, lambda text: print(f"prefmill: {text}", file=sys.stderr))
