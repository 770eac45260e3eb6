"""`prefmill diff`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

_MOVED_EXIT = 3


def handle(args: argparse.Namespace) -> int:
    """Show what became of a dataset from one version to another.

    Exit code 3 if a prompt is in another split than before, or in two.

    Raises:
        InputError: a place holds no dataset, or the two cannot be compared.
    """
    from pipeline.compare.diff import diff_datasets
    from pipeline.compare.words import diff_json, diff_text
    from pipeline.hub.places import open_place

    diff = diff_datasets(open_place(args.old), open_place(args.new))
    # A dataset of a hub lies in some cache, which says nothing to the user.
    old, new = replace(diff.old, place=args.old), replace(diff.new, place=args.new)
    diff = replace(diff, old=old, new=new)
    if args.json:
        print(json.dumps(diff_json(diff), indent=2, ensure_ascii=False))
    else:
        print(diff_text(diff))
    is_torn = any(config.prompts_moved or config.prompts_leaked for config in diff.configs)
    return _MOVED_EXIT if is_torn else 0
