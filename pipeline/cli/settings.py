"""Options that stand for a setting of the recipe."""

from __future__ import annotations

import argparse


def overrides(args: argparse.Namespace) -> list[str]:
    """What `--set` and its shorthands change in the recipe."""
    scheduler = [f"placement.scheduler={args.scheduler}"] if args.scheduler else []
    return [*args.set, *scheduler]
