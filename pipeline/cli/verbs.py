"""The verbs of `prefmill` as they are typed. Light: imports nothing that does work.

Each verb's work is `handle(args) -> exit code` in `pipeline/cli/<verb>.py`, imported when the verb
is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from pipeline.cli import arguments


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="prefmill",
        description="Turn a YAML recipe into a preference dataset that trainers read as it is.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND")
    for name, (summary, example, add_arguments) in _VERBS.items():
        verb = verbs.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"examples:\n{example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(verb)
        verb.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


_EPILOG = """\
start here:
  prefmill init                     write quickstart.yaml, a recipe with comments
  prefmill check quickstart.yaml    every mistake at once, with its line
  prefmill preview quickstart.yaml  see a few rows through every stage
  prefmill run quickstart.yaml      make the dataset in runs/quickstart/dataset

exit codes: 0 done; 2 recipe or arguments wrong; 3 a quality gate failed; 4 more was
lost than the recipe allows; 130 interrupted (run again to resume); 1 a bug."""


_VERBS: dict[str, tuple[str, str, Callable[[argparse.ArgumentParser], None]]] = {
    "init": (
        "write a recipe to start from",
        "  prefmill init\n  prefmill init --list\n  prefmill init my-data --template curate",
        arguments.init,
    ),
    "check": (
        "find every mistake in a recipe without running anything, or in a dataset folder",
        "  prefmill check recipe.yaml\n  prefmill check recipe.yaml --set seed=8 --json\n"
        "  prefmill check runs/mine",
        arguments.check,
    ),
    "plan": (
        "show the steps of a recipe, where they run, and what they will take",
        "  prefmill plan recipe.yaml\n  prefmill plan recipe.yaml --probe\n"
        "  prefmill plan recipe.yaml --probe 32 --json\n"
        "  prefmill plan recipe.yaml --out runs/mine",
        arguments.plan,
    ),
    "preview": (
        "follow a few rows through every step",
        "  prefmill preview recipe.yaml\n  prefmill preview recipe.yaml -n 1 --full",
        arguments.preview,
    ),
    "run": (
        "make the dataset; run again to resume",
        "  prefmill run recipe.yaml\n  prefmill run recipe.yaml --limit 8 --out /tmp/trial\n"
        "  prefmill run recipe.yaml --json --events events.jsonl --metrics 9464",
        arguments.run,
    ),
    "refresh": (
        "add what is new to the last release of a dataset and make that the next",
        "  prefmill refresh nightly.yaml --into ./datasets/nightly\n"
        "  prefmill refresh nightly.yaml --into org/name --out /var/lib/nightly --json",
        arguments.refresh,
    ),
    "status": (
        "show how far a run is, how it ended, and what it turned away",
        "  prefmill status runs/mine\n  prefmill status runs/mine --watch 10\n"
        "  prefmill status runs/mine --rejects --stage magpie",
        arguments.status,
    ),
    "audit": (
        "show what the labels of a dataset are worth: biases, agreement, what they reward",
        "  prefmill audit runs/mine\n  prefmill audit ultrafeedback.parquet --page /tmp/uf.html\n"
        "  prefmill audit runs/mine --human labelled-by-us.jsonl --json\n"
        "  prefmill audit --scaling win-rates.csv --loss 0.5",
        arguments.audit,
    ),
    "report": (
        "write one page on a run: rows, scores, labels, costs, and rows to look at",
        "  prefmill report runs/mine\n  prefmill report dataset -o report.html\n"
        "  prefmill report runs/tuesday --since runs/monday",
        arguments.report,
    ),
    "diff": (
        "show what became of a dataset from one version to another; exit code 3 if a prompt "
        "crossed splits",
        "  prefmill diff runs/monday runs/tuesday\n  prefmill diff me/pairs@v1 me/pairs --json",
        arguments.diff,
    ),
    "push": (
        "publish the dataset: to a hub in one commit, or to a folder or object store",
        "  prefmill push runs/mine --repo-id org/name --dry-run\n"
        "  prefmill push runs/mine --repo-id org/name --private\n"
        "  prefmill push runs/mine s3://bucket/datasets/mine",
        arguments.push,
    ),
    "export": (
        "write the dataset in the layout of a trainer",
        "  prefmill export runs/mine --layout llama_factory\n"
        "  prefmill export runs/mine --layout trl --task reward --form standard\n"
        "  prefmill export runs/mine --layout axolotl --config kto --out kto-for-axolotl",
        arguments.export,
    ),
    "view": (
        "look at the rows of a dataset in the browser, and mark them",
        "  prefmill view runs/mine\n  prefmill view runs/mine --annotate\n"
        "  prefmill audit runs/mine --human runs/mine/dataset.labels.jsonl",
        arguments.view,
    ),
    "stages": (
        "list the stages, or explain one",
        "  prefmill stages\n  prefmill stages magpie",
        arguments.stages,
    ),
    "schema": (
        "print the JSON Schema of recipes, for editors",
        "  prefmill schema > recipe.schema.json",
        arguments.schema,
    ),
}
