"""`prefmill status`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

_SHOWN_CHARS = 300


def handle(args: argparse.Namespace) -> int:
    """Show how far a run is, or what it turned away and why."""
    from pipeline.runtime.status import read_rejects, read_status, status_text

    name, steps = read_status(Path(args.dir))
    if args.rejects:
        return _show_rejects(read_rejects(steps, args.stage, args.reason), args.json)
    if args.json:
        listed = [
            {
                "step": step.name,
                "state": step.state,
                "parts": step.parts,
                "parts_done": step.parts_done,
                **asdict(step.report),
            }
            for step in steps
        ]
        print(json.dumps({"name": name, "steps": listed}, indent=2))
    else:
        print(status_text(name, steps))
    return 0


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
