"""`prefmill audit`: what the labels of a dataset are worth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING

from schemas.errors import InputError

if TYPE_CHECKING:
    from pipeline.audit.human import HumanLabels
    from pipeline.audit.labels import Labels

PAGE = "audit.html"


def handle(args: argparse.Namespace) -> int:
    """Audit a run, or any paired dataset: a page, and a table or JSON.

    With `--scaling`, fit a curve to given points instead.

    Raises:
        InputError: there is nothing to audit, human labels or points cannot be read, or the page's
            place is taken by another file.
    """
    if args.scaling:
        return _scaling(args)
    from pipeline.audit.page import refuse_foreign_page, render_page
    from pipeline.audit.reading import read_human
    from pipeline.audit.report import make_audit
    from pipeline.audit.words import audit_json, audit_text
    from pipeline.files import write_atomic

    if args.dir is None:
        raise InputError("say what to audit: `prefmill audit DIR`, or `--scaling FILE`")
    path = Path(args.dir)
    run = _run_of(path)
    page = Path(args.page) if args.page else (run or Path()) / PAGE
    refuse_foreign_page(page)
    human = read_human(Path(args.human)) if args.human else None
    labels = _of_run(run) if run else _of_dataset(path)
    if human is not None:
        _refuse_strangers(labels, human, args.human)
    audit = make_audit(labels, human, args.seed)
    html = render_page(audit).encode("utf-8", "backslashreplace")
    write_atomic(page, lambda file: _write(file, html))
    if args.json:
        print(json.dumps({**audit_json(audit), "page": str(page)}, indent=2, ensure_ascii=False))
    else:
        print(f"{audit_text(audit)}\n\npage: {page}")
    return 0


def _scaling(args: argparse.Namespace) -> int:
    from pipeline.audit.scaling import make_scaling, read_points, scaling_json, scaling_text

    if args.dir is not None:
        raise InputError(
            f"--scaling audits the points in {args.scaling} alone: leave out {args.dir}, or audit "
            "it by a command of its own"
        )
    path = Path(args.scaling)
    scaling = make_scaling(path.name, read_points(path), args.loss)
    if args.json:
        print(json.dumps(scaling_json(scaling), indent=2, ensure_ascii=False))
    else:
        print(scaling_text(scaling))
    return 0


def _refuse_strangers(labels: Labels, human: HumanLabels, file: str) -> None:
    """Raise InputError if nothing that people said is about these answers."""
    if not human.matches(labels.pairs):
        raise InputError(
            f"--human {file}: none of its {human.n_pairs:,} pairs and {len(human.grades):,} graded "
            f"answers is among the {len(labels.pairs):,} pairs of {labels.name}. They are matched "
            "by their texts: the last user turn and the answers must be the same."
        )


def _write(file: IO[bytes], content: bytes) -> None:
    file.write(content)


def _run_of(path: Path) -> Path | None:
    """The run's output folder if this is one, or is the dataset in one."""
    from pipeline.runtime.labelled import is_run

    if is_run(path):
        return path
    parent = path.resolve().parent
    return parent if path.name == "dataset" and is_run(parent) else None


def _of_dataset(path: Path) -> Labels:
    from pipeline.audit.reading import read_labels

    return read_labels(path)


def _of_run(out: Path) -> Labels:
    from pipeline.runtime.run_labels import read_run_labels

    labels = read_run_labels(out, published=True)
    if not len(labels.pairs):
        raise InputError(
            f"{out}: the run has labelled no pair of answers yet. `prefmill status {out}` says how "
            "far it is, and `--rejects` what it turned away."
        )
    return labels
