"""The arguments of each verb. Light: imports nothing that does work."""

from __future__ import annotations

import argparse

from pipeline.cli.argument_types import count, points, port, seconds, seed


def init(parser: argparse.ArgumentParser) -> None:
    """Of `init`."""
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR", help="folder (default: .)")
    parser.add_argument(
        "--template",
        default="quickstart",
        metavar="NAME",
        help="which, see --list (default: %(default)s: a small model, no network)",
    )
    parser.add_argument("--list", action="store_true", help="list the templates")


def check(parser: argparse.ArgumentParser) -> None:
    """Of `check`."""
    _recipe(parser, "RECIPE|DIR", "the recipe, a YAML file; or a run's output folder, or a dataset")
    _json(parser, "problems as JSON")


def plan(parser: argparse.ArgumentParser) -> None:
    """Of `plan`."""
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
        type=count,
        const=8,
        metavar="N",
        help="run N source rows in a temporary folder (default: %(const)s) and estimate from them",
    )
    _scheduler(parser)
    _json(parser, "the plan as JSON")


def preview(parser: argparse.ArgumentParser) -> None:
    """Of `preview`."""
    _recipe(parser)
    parser.add_argument(
        "-n",
        "--rows",
        type=count,
        default=5,
        metavar="N",
        help="rows of the source (default: %(default)s)",
    )
    parser.add_argument("--full", action="store_true", help="do not fold long texts")
    _json(parser, "rows as JSON")


def run(parser: argparse.ArgumentParser) -> None:
    """Of `run`."""
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
        "- is standard output. Events: run_started, step_opened, part_done, decided, part_lost, "
        "step_closed, workers, warning, progress (every 2 s), and run_ended (with exit code, "
        "error and summary)",
    )
    parser.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="serve Prometheus metrics at PORT while it runs, to this machine only unless HOST is "
        "given; needs prefmill[metrics]",
    )


def refresh(parser: argparse.ArgumentParser) -> None:
    """Of `refresh`."""
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


def status(parser: argparse.ArgumentParser) -> None:
    """Of `status`."""
    parser.add_argument("dir", metavar="DIR", help="output folder of a run")
    parser.add_argument("--rejects", action="store_true", help="show what was turned away, and why")
    parser.add_argument("--stage", metavar="STEP", help="with --rejects: of this step only")
    parser.add_argument("--reason", metavar="CODE", help="with --rejects: for this reason only")
    parser.add_argument(
        "--watch", type=seconds, metavar="SECONDS", help="show it again and again until it ends"
    )
    _json(parser, "as JSON; with --watch one object a line")


def audit(parser: argparse.ArgumentParser) -> None:
    """Of `audit`."""
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
        "--seed", type=seed, default=0, metavar="N", help="of the bootstrap (default: %(default)s)"
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
        type=points,
        default=1.0,
        metavar="POINTS",
        help="with --scaling: how far below the plateau is near enough (default: %(default)g)",
    )
    _json(parser, "all figures as JSON")


def report(parser: argparse.ArgumentParser) -> None:
    """Of `report`."""
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


def diff(parser: argparse.ArgumentParser) -> None:
    """Of `diff`."""
    for name, which in (("old", "earlier"), ("new", "later")):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help=f"the {which} one: a run's output folder, a dataset folder, a URL, or "
            "org/name[@revision] of a hub",
        )
    _json(parser, "everything as JSON")


def push(parser: argparse.ArgumentParser) -> None:
    """Of `push`."""
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


def export(parser: argparse.ArgumentParser) -> None:
    """Of `export`."""
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


def view(parser: argparse.ArgumentParser) -> None:
    """Of `view`."""
    parser.add_argument("dir", metavar="DIR", help="output folder of a run, or its dataset")
    parser.add_argument(
        "--port",
        type=port,
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
        type=seed,
        default=0,
        metavar="N",
        help="of the order `shuffled`, and of which answer is A (default: %(default)s)",
    )


def stages(parser: argparse.ArgumentParser) -> None:
    """Of `stages`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this stage in full")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="as Markdown")


def schema(parser: argparse.ArgumentParser) -> None:
    """Of `schema`."""
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
    parser.add_argument("--limit", type=count, metavar="N", help="at most N rows from the source")


def _scheduler(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of a running Dask cluster do the work, e.g. tcp://10.0.0.1:8786",
    )


def _json(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"{what}, for programs")
