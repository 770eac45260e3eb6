"""`prefmill report`: one page on a run or a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Write the page, and say where.

    Raises:
        InputError: there is nothing to report on, or something else stands in the page's place.
    """
    from pipeline.dataset.read import open_dataset
    from pipeline.report.report import write_report

    last = open_dataset(Path(args.since)) if args.since else None
    page = Path(args.output) if args.output else None
    print(write_report(Path(args.dir), last, page))
    return 0
