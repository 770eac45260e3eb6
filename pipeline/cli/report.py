"""`prefmill report`: one page on a run or a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path


def handle(args: argparse.Namespace) -> int:
    """Write the page, and say where.

    Raises:
        InputError: there is nothing to report on, or something else stands in the page's place.
    """
    from pipeline.report.report import write_report

    print(write_report(Path(args.dir), page=Path(args.output) if args.output else None))
    return 0
