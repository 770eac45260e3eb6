"""The verbs of `prefmill` as they are typed. Light: imports nothing that does work.

Each verb's work is `handle(args) -> exit code` in `pipeline/cli/<verb>.py`, imported when the verb
is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable


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


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR", help="folder (default: .)")
    parser.add_argument(
        "--template",
        default="quickstart",
        metavar="NAME",
        help="which, see --list (default: %(default)s: a small model, no network)",
    )
    parser.add_argument("--list", action="store_true", help="list the templates")


def _check(parser: argparse.ArgumentParser) -> None:
    _recipe(parser, "RECIPE|DIR", "the recipe, a YAML file; or a run's output folder, or a dataset")
    _json(parser, "problems as JSON")


def _plan(parser: argparse.ArgumentParser) -> None:
    _recipe(parser)
    _limit(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="say what work in this output folder is kept, and estimate from it (default: "
        "runs/<name>)",
    )
    parser.add_argument(
        "--probe",
        nargs="?",
        type=_count,
        const=8,
        metavar="N",
        help="run N source rows in a temporary folder (default: %(const)s) and estimate from them",
    )
    _scheduler(parser)
    _json(parser, "the plan as JSON")


def _preview(parser: argparse.ArgumentParser) -> None:
    _recipe(parser)
    parser.add_argument(
        "-n",
        "--rows",
        type=_count,
        default=5,
        metavar="N",
        help="rows of the source (default: %(default)s)",
    )
    parser.add_argument("--full", action="store_true", help="do not fold long texts")
    _json(parser, "rows as JSON")


def _run(parser: argparse.ArgumentParser) -> None:
    _recipe(parser)
    _limit(parser)
    parser.add_argument("--out", metavar="DIR", help="output folder (default: runs/<name>)")
    parser.add_argument(
        "--resume",
        choices=("always", "if_possible", "never"),
        default="if_possible",
        help="always: fail if there is nothing to resume; never: start afresh "
        "(default: %(default)s)",
    )
    _scheduler(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="with --resume never: throw away the work there"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and the summary"
    )
    parser.add_argument(
        "--no-report", action="store_true", help="write no report.html when it is done"
    )
    _json(parser, "the summary at the end as JSON")
    parser.add_argument(
        "--events",
        metavar="FILE",
        help="append what happens to FILE as it happens, one JSON object a line, for programs; "
        "- is standard output. Events: run_started, step_opened, part_done, part_lost, "
        "step_closed, workers, warning, progress (every 2 s), and run_ended (with exit code, "
        "error and summary)",
    )
    parser.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="serve Prometheus metrics at PORT while it runs, to this machine only unless HOST is "
        "given; needs prefmill[metrics]",
    )


def _refresh(parser: argparse.ArgumentParser) -> None:
    _recipe(parser)
    parser.add_argument(
        "--into",
        required=True,
        metavar="DIR_OR_REPO",
        help="the dataset that grows: a folder, in which what `run` left is the first release; "
        "org/name of a hub; or a URL such as s3://bucket/folder. A folder that is not there yet "
        "begins with ./ or /",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="folder of the work on a repo or URL (default: runs/<name>-releases)",
    )
    parser.add_argument(
        "--no-push", action="store_true", help="make the release and check its gates, no more"
    )
    parser.add_argument(
        "--no-license", action="store_true", help="publish although the card states no licence"
    )
    _scheduler(parser)
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and the summary"
    )
    _json(parser, "what came of it as JSON")


def _status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", metavar="DIR", help="output folder of a run")
    parser.add_argument("--rejects", action="store_true", help="show what was turned away, and why")
    parser.add_argument("--stage", metavar="STEP", help="with --rejects: of this step only")
    parser.add_argument("--reason", metavar="CODE", help="with --rejects: for this reason only")
    parser.add_argument(
        "--watch", type=_seconds, metavar="SECONDS", help="show it again and again until it ends"
    )
    _json(parser, "as JSON; with --watch one object a line")


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir",
        nargs="?",
        metavar="DIR",
        help="output folder of a run, or any paired dataset: a folder or a file "
        "(JSON lines, JSON, CSV, each also .gz; Parquet, Arrow)",
    )
    parser.add_argument(
        "--human",
        metavar="FILE",
        help="labels by people: pairs in any layout that is known, or graded answers "
        "(prompt, completion, label true or false)",
    )
    parser.add_argument(
        "--page",
        metavar="FILE",
        help="where to write the page (default: audit.html, in the folder of the run, else here)",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of the bootstrap (default: %(default)s)"
    )
    parser.add_argument(
        "--scaling",
        metavar="FILE",
        help="instead of DIR: by how the win rate grew with the share of the data that was trained "
        "on (columns share and win_rate in per cent, perhaps standard_error in points), say what "
        "share is enough",
    )
    parser.add_argument(
        "--loss",
        type=_points,
        default=1.0,
        metavar="POINTS",
        help="with --scaling: how far below the plateau is near enough (default: %(default)g)",
    )
    _json(parser, "all figures as JSON")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dir", metavar="DIR", help="output folder of a run, finished or not, or a dataset folder"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write it (default: report.html, in the folder of the run, else here)",
    )
    parser.add_argument(
        "--since", metavar="OLD", help="an earlier run or dataset: say what changed since"
    )


def _diff(parser: argparse.ArgumentParser) -> None:
    for name, which in (("old", "earlier"), ("new", "later")):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help=f"the {which} one: a run's output folder, a dataset folder, a URL, or "
            "org/name[@revision] of a hub",
        )
    _json(parser, "everything as JSON")


def _push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", metavar="DIR", help="output folder of a run, or a dataset folder")
    parser.add_argument(
        "place", nargs="?", metavar="PLACE", help="a folder, or a URL such as s3://bucket/folder"
    )
    parser.add_argument("--repo-id", metavar="ORG/NAME", help="a dataset repo of the hub, instead")
    parser.add_argument("--private", action="store_true", help="if the repo is made, for us only")
    parser.add_argument("--create-pr", action="store_true", help="propose it in a pull request")
    parser.add_argument("--revision", metavar="BRANCH", help="default: main")
    parser.add_argument(
        "--tag", metavar="NAME", help="default: v<release> on main, none on other branches"
    )
    parser.add_argument("--message", metavar="TEXT", help="of the commit")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument(
        "--no-license", action="store_true", help="publish although the card states no licence"
    )
    parser.add_argument(
        "--adopt", action="store_true", help="publish beside files that prefmill did not write"
    )
    _json(parser, "what was done as JSON")


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", metavar="DIR", help="output folder of a finished run, or a dataset")
    parser.add_argument(
        "--layout",
        required=True,
        metavar="NAME",
        help="trl, openrlhf, llama_factory, axolotl, ms_swift, nemo_rl, helpsteer, "
        "ultrafeedback_binarized, sharegpt or ranking",
    )
    parser.add_argument(
        "--config", metavar="NAME", help="only this dataset config (default: all it can hold)"
    )
    parser.add_argument(
        "--task",
        choices=("dpo", "kto", "reward", "prompts", "sft", "ranking"),
        help="what the rows are for (default: what the config is for)",
    )
    parser.add_argument(
        "--form",
        choices=("conversational", "standard"),
        help="messages, or plain strings (default: messages where the layout has them)",
    )
    parser.add_argument("--split", metavar="NAME", help="only this split (default: all)")
    parser.add_argument(
        "--out", metavar="FOLDER", help="where to write (default: DIR/exports/NAME of the layout)"
    )


def _view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", metavar="DIR", help="output folder of a run, or its dataset")
    parser.add_argument(
        "--port",
        type=_port,
        default=8423,
        metavar="N",
        help="port of this machine; 0 is any that is free (default: %(default)s)",
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the browser")
    parser.add_argument(
        "--annotate",
        action="store_true",
        help="mark rows good, bad or tie, with the labels hidden until a row is marked; "
        "`prefmill audit DIR --human FILE` reads the marks",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="with --annotate: where marks are added (default: dataset.labels.jsonl, beside the "
        "dataset)",
    )
    parser.add_argument(
        "--show-labels",
        action="store_true",
        help="with --annotate: show which answer is chosen from the start",
    )
    parser.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="of the order `shuffled`, and of which answer is A (default: %(default)s)",
    )


def _stages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this stage in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="as Markdown")


def _schema(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def _recipe(
    parser: argparse.ArgumentParser, shown: str = "RECIPE", what: str = "the recipe, a YAML file"
) -> None:
    parser.add_argument("recipe", metavar=shown, help=what)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one value, e.g. --set stages.magpie.rows=8; may be repeated",
    )


def _limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_count, metavar="N", help="at most N rows from the source")


def _scheduler(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of a running Dask cluster do the work, e.g. tcp://10.0.0.1:8786",
    )


def _json(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"{what}, for programs")


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return value


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to {_LAST_PORT}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _points(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 100")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST_WATCH_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds above 0 and up to {_LONGEST_WATCH_S}"
        )
    return value


_LAST_PORT = 65_535
_LONGEST_WATCH_S = 86_400


_VERBS: dict[str, tuple[str, str, Callable[[argparse.ArgumentParser], None]]] = {
    "init": (
        "write a recipe to start from",
        "  prefmill init\n  prefmill init --list\n  prefmill init my-data --template curate",
        _init,
    ),
    "check": (
        "find every mistake in a recipe without running anything, or in a dataset folder",
        "  prefmill check recipe.yaml\n  prefmill check recipe.yaml --set seed=8 --json\n"
        "  prefmill check runs/mine",
        _check,
    ),
    "plan": (
        "show the steps of a recipe, where they run, and what they will take",
        "  prefmill plan recipe.yaml\n  prefmill plan recipe.yaml --probe\n"
        "  prefmill plan recipe.yaml --probe 32 --json\n"
        "  prefmill plan recipe.yaml --out runs/mine",
        _plan,
    ),
    "preview": (
        "follow a few rows through every step",
        "  prefmill preview recipe.yaml\n  prefmill preview recipe.yaml -n 1 --full",
        _preview,
    ),
    "run": (
        "make the dataset; run again to resume",
        "  prefmill run recipe.yaml\n  prefmill run recipe.yaml --limit 8 --out /tmp/trial\n"
        "  prefmill run recipe.yaml --json --events events.jsonl --metrics 9464",
        _run,
    ),
    "refresh": (
        "add what is new to the last release of a dataset and make that the next",
        "  prefmill refresh nightly.yaml --into ./datasets/nightly\n"
        "  prefmill refresh nightly.yaml --into org/name --out /var/lib/nightly --json",
        _refresh,
    ),
    "status": (
        "show how far a run is, how it ended, and what it turned away",
        "  prefmill status runs/mine\n  prefmill status runs/mine --watch 10\n"
        "  prefmill status runs/mine --rejects --stage magpie",
        _status,
    ),
    "audit": (
        "show what the labels of a dataset are worth: biases, agreement, what they reward",
        "  prefmill audit runs/mine\n  prefmill audit ultrafeedback.parquet --page /tmp/uf.html\n"
        "  prefmill audit runs/mine --human labelled-by-us.jsonl --json\n"
        "  prefmill audit --scaling win-rates.csv --loss 0.5",
        _audit,
    ),
    "report": (
        "write one page on a run: rows, scores, labels, costs, and rows to look at",
        "  prefmill report runs/mine\n  prefmill report dataset -o report.html\n"
        "  prefmill report runs/tuesday --since runs/monday",
        _report,
    ),
    "diff": (
        "show what became of a dataset from one version to another; exit code 3 if a prompt "
        "crossed splits",
        "  prefmill diff runs/monday runs/tuesday\n"
        "  prefmill diff me/pairs@v1 me/pairs --json",
        _diff,
    ),
    "push": (
        "publish the dataset: to a hub in one commit, or to a folder or object store",
        "  prefmill push runs/mine --repo-id org/name --dry-run\n"
        "  prefmill push runs/mine --repo-id org/name --private\n"
        "  prefmill push runs/mine s3://bucket/datasets/mine",
        _push,
    ),
    "export": (
        "write the dataset in the layout of a trainer",
        "  prefmill export runs/mine --layout llama_factory\n"
        "  prefmill export runs/mine --layout trl --task reward --form standard\n"
        "  prefmill export runs/mine --layout axolotl --config kto --out kto-for-axolotl",
        _export,
    ),
    "view": (
        "look at the rows of a dataset in the browser, and mark them",
        "  prefmill view runs/mine\n  prefmill view runs/mine --annotate\n"
        "  prefmill audit runs/mine --human runs/mine/dataset.labels.jsonl",
        _view,
    ),
    "stages": (
        "list the stages, or explain one",
        "  prefmill stages\n  prefmill stages magpie",
        _stages,
    ),
    "schema": (
        "print the JSON Schema of recipes, for editors",
        "  prefmill schema > recipe.schema.json",
        _schema,
    ),
}
