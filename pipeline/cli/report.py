"""`prefmill report`: one page on a run or a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Write the page, and say where.

    Raises:
        InputError: there is nothing to report on, or something else stands in the page's place.
    """
    from pipeline.compare.diff import diff_datasets
    from pipeline.dataset.read import open_dataset
    from pipeline.report.report import write_report

    out, page = Path(args.dir), Path(args.output) if args.output else None
    changes = (
        diff_datasets(open_dataset(Path(args.since)), open_dataset(out)) if args.since else None
    )
    print(write_report(out, changes, page))
    return 0
