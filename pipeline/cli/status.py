"""`prefmill status`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.runtime.status import RunStatus

_SHOWN_CHARS = 300


def handle(args: argparse.Namespace) -> int:
    """Show how far a run is, or what it turned away and why."""
    from pipeline.runtime.status import read_rejects, read_status

    out = Path(args.dir)
    if args.rejects:
        return _show_rejects(
            read_rejects(read_status(out).steps, args.stage, args.reason), args.json
        )
    while True:
        status = read_status(out)
        _show(status, args)
        if args.watch is None or not status.goes_on:
            return 0
        time.sleep(args.watch)


def _show(status: RunStatus, args: argparse.Namespace) -> None:
    """Print the status: over the last one on a terminal, below it elsewhere."""
    from pipeline.runtime.status_text import status_json, status_text

    watching = args.watch is not None
    if args.json:
        # Watched, it is one object a line.
        print(json.dumps(status_json(status), indent=None if watching else 2), flush=True)
        return
    clear = "\x1b[H\x1b[2J" if watching and sys.stdout.isatty() else ""
    print(clear + status_text(status) + ("\n" if watching else ""), flush=True)


def _show_rejects(rejects: Iterator[dict[str, Any]], as_json: bool) -> int:
    """One JSON object a line, or a short paragraph each."""
    for reject in rejects:
        if as_json:
            print(json.dumps(reject, ensure_ascii=False))
            continue
        print(f"{reject['step']}: {reject['code']}: {reject['message']}")
        raw = " ".join((reject["raw"] or "").split())
        if raw:
            shown = raw if len(raw) <= _SHOWN_CHARS else raw[:_SHOWN_CHARS] + " …"
            print(f"    {shown}")
    return 0
