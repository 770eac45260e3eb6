"""`prefmill diff`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

_MOVED_EXIT = 3


def handle(args: argparse.Namespace) -> int:
    """Show what became of a dataset from one version to another.

    Exit code 3 if a prompt is in another split than before, or in two.
    """
    from pipeline.compare.diff import diff_datasets
    from pipeline.compare.words import diff_json, diff_text
    from pipeline.dataset.read import open_dataset

    diff = diff_datasets(open_dataset(Path(args.old)), open_dataset(Path(args.new)))
    if args.json:
        print(json.dumps(diff_json(diff), indent=2, ensure_ascii=False))
    else:
        print(diff_text(diff))
    is_torn = any(config.prompts_moved or config.prompts_leaked for config in diff.configs)
    return _MOVED_EXIT if is_torn else 0
