"""`prefmill view`: look at the rows of a dataset, and mark them."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from schemas.errors import InputError

if TYPE_CHECKING:
    from pipeline.browse.marks import MarksFile


def handle(args: argparse.Namespace) -> int:
    """Serve the rows of a dataset to a browser on this machine, until Ctrl-C.

    Raises:
        InputError: there is no dataset, the port is taken, or the labels file is none.
    """
    from pipeline.browse.desk import Desk
    from pipeline.browse.serve import open_port, serve
    from pipeline.dataset.read import open_dataset

    path = Path(args.dir)
    labels = _labels(args, open_dataset(path).path)
    with open_port(args.port) as listener:
        print(f"reading {path} ...", file=sys.stderr)
        is_blind = labels is not None and not args.show_labels
        desk = Desk(path, labels, is_blind=is_blind, seed=args.seed, judged=_judged(path))
        try:
            Thread(target=desk.sort, name="prefmill-sort", daemon=True).start()
            serve(desk, listener, lambda address: _tell(address, desk.n_rows, labels, args.no_open))
        finally:
            desk.close()
    return 0


def _labels(args: argparse.Namespace, dataset: Path) -> MarksFile | None:
    """The labels file; beside the dataset, which is replaced as a whole, if none is named."""
    from pipeline.browse.marks import MarksFile

    if not args.annotate:
        if args.labels or args.show_labels:
            raise InputError("--labels and --show-labels go with --annotate")
        return None
    path = Path(args.labels) if args.labels else dataset.with_name(f"{dataset.name}.labels.jsonl")
    if dataset.resolve() in path.resolve().parents:
        raise InputError(
            f"--labels {path}: lies in the dataset, which the next run or release replaces "
            "as a whole. Name a file outside it."
        )
    return MarksFile(path)


def _judged(path: Path) -> Callable[[dict[str, Any]], list[dict[str, Any]]] | None:
    """What finds the judges' words on a pair in the work of the run; None without a run."""
    from pipeline.report.facts import run_of
    from pipeline.report.judges import judgements_of

    out = run_of(path)
    if out is None:
        return None
    return lambda row: judgements_of(out, [row]).get(row["row_id"], [])


def _tell(address: str, rows: int, labels: MarksFile | None, no_open: bool) -> None:
    print(f"{rows:,} rows at {address}   (Ctrl-C ends it)", flush=True)
    if labels is not None:
        print(f"marks go to {labels.path}: {labels.progress()['marked']} there", flush=True)
    if not no_open and sys.stdout.isatty():
        _open(address)


def _open(address: str) -> None:
    """Show the page, unless that would take this terminal away."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if not isinstance(browser, webbrowser.GenericBrowser) or isinstance(
        browser, webbrowser.BackgroundBrowser
    ):
        browser.open(address)
