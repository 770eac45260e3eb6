"""What can be measured of a run: numbers by name, for gates, card, report and diff.

Rows and steps are always measured. The labels are audited where that is cheap beside what was done,
or asked for: where a model labelled, or where a gate names a figure of the audit. What was measured
is kept in `<out>/figures.json`, so that a run with nothing left to do measures nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.dataset.read import DatasetFolder
from pipeline.dataset.write import row_ids
from pipeline.files import read_json, write_json
from pipeline.recipe.plan import Plan
from pipeline.runtime.audit_figures import add_audit
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.labelled import is_labeller
from pipeline.runtime.measured import Measured, figures_path
from pipeline.runtime.row_figures import measure_rows
from pipeline.runtime.step_figures import add_step
from schemas.figures import AUDIT, ROWS, config_figures

_FORMAT = 1


def collect_figures(
    plan: Plan, steps: Sequence[KeyedStep], out: Path, last: DatasetFolder | None = None
) -> Measured:
    """Figures of a run whose steps are complete.

    Of rows, `<config>.rows` counts those of the `last` release as well; all others are those of the
    rows that the run adds to it.
    """
    identity = _identity(plan, steps, last)
    kept = read_json(figures_path(out))
    if kept is not None and kept.get("of") == identity:
        return Measured(kept["figures"], kept["missing"])
    measured = Measured()
    for step in steps:
        if step.is_export:
            _add_rows(measured, step, last)
    for step in steps:
        if report := step.folder.report():
            add_step(measured, step, report)
    if _is_audited(plan):
        add_audit(measured, out)
    for name in [name for name, value in measured.values.items() if not math.isfinite(value)]:
        measured.missing[name] = f"it is {measured.values.pop(name)}"
    content = {"of": identity, "figures": measured.values, "missing": measured.missing}
    write_json(figures_path(out), content)
    return measured


def _identity(plan: Plan, steps: Sequence[KeyedStep], last: DatasetFolder | None) -> dict[str, Any]:
    """What figures are of: they are the same where this is.

    A step that was done again has other times in its report, and may have other rows.
    """
    reports = [report and asdict(report) for report in (step.folder.report() for step in steps)]
    return {
        "format": _FORMAT,
        "keys": [step.key for step in steps],
        "reports": _digest(reports),
        "audited": _is_audited(plan),
        "last": _digest(last.manifest["files"]) if last else None,
    }


def _digest(value: object) -> str:
    content = json.dumps(value, sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _is_audited(plan: Plan) -> bool:
    asked = any(rule.figure.startswith(f"{AUDIT}.") for rule in plan.recipe.gates.rules)
    return asked or any(step.needs and is_labeller(step.stage) for step in plan.steps)


def _add_rows(measured: Measured, step: KeyedStep, last: DatasetFolder | None) -> None:
    config, columns = step.config_name, step.step.stage.writes
    known = row_ids(last, config)
    n_new, found = measure_rows(columns, step.folder.tables(), known)
    measured.values.update({f"{config}.{name}": value for name, value in found.items()})
    measured.values[f"{config}.{ROWS}"] = len(known) + n_new
    reason = "no new row has what it is made of" if n_new else "the run adds no row"
    for name in config_figures(config, columns):
        if name not in measured.values:
            measured.missing[name] = reason
