"""`prefmill push`: publish a dataset, to a hub or to a folder anywhere."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import InputError

if TYPE_CHECKING:
    from pipeline.hub.push import Pushed


def handle(args: argparse.Namespace) -> int:
    """Publish the dataset of a run, or any dataset folder, and say what was done.

    Raises:
        InputError: the dataset, the place or an option cannot be used, or the place refuses.
    """
    from pipeline.dataset.read import open_dataset
    from pipeline.hub.address import HUB_URL, check_repo_id
    from pipeline.hub.push import PushOptions, push_dataset

    if (args.place is None) == (args.repo_id is None):
        raise InputError(
            "say where to publish: `--repo-id org/name` for a hub, or a folder or URL behind DIR"
        )
    if args.repo_id is not None:
        name = check_repo_id(args.repo_id)
        place = f"{HUB_URL}{name}"  # a folder of that name is not meant
    else:
        name = place = args.place if "://" in args.place else str(Path(args.place).absolute())
    options = PushOptions(
        private=args.private,
        create_pr=args.create_pr,
        revision=args.revision,
        tag=args.tag,
        dry_run=args.dry_run,
        message=args.message,
        needs_license=not args.no_license,
        adopt=args.adopt,
    )
    pushed = push_dataset(open_dataset(Path(args.dir)), place, options, _tell)
    print(_json(name, pushed) if args.json else _text(name, pushed, dry_run=args.dry_run))
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _json(place: str, pushed: Pushed) -> str:
    return json.dumps(
        {
            "place": place,
            "revision": pushed.revision,
            "tag": pushed.tag,
            "changed": pushed.changed,
            "changes": [
                {"action": each.action, "path": each.path, "bytes": each.size}
                for each in pushed.changes
            ],
            "pull_request": pushed.pull_request,
        },
        indent=2,
        ensure_ascii=False,
    )


def _text(place: str, pushed: Pushed, *, dry_run: bool) -> str:
    lines = [f"{each.action:8}{each.size:>14,}  {each.path}" for each in pushed.changes]
    at = f" at {pushed.revision[:12]}" if pushed.revision else ""
    tag = f", tag {pushed.tag}" if pushed.tag else ""
    if pushed.pull_request:
        verdict = f"in {pushed.pull_request}{at}"
    elif not pushed.changed:
        verdict = f"nothing to do: it holds this dataset{at}{tag}"
    elif dry_run:
        verdict = "nothing was published; this is what would be done" + tag
    else:
        verdict = f"published{at}{tag}"
    return "\n".join([*lines, f"{place}: {verdict}"])
