"""A few rows all the way through, step by step, without writing a dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.folders import LocalFolder
from pipeline.recipe.plan import Plan
from pipeline.runtime.executors import InlineExecutor
from pipeline.runtime.keyed import key_steps, resolve_models
from pipeline.runtime.progress import Progress
from pipeline.runtime.run import Runner
from pipeline.runtime.shapes import plain_shape

_HIDDEN = ("row_id", "lineage")


def preview_rows(plan: Plan, folder: Path, progress: Progress) -> list[dict[str, Any]]:
    """Run the plan in `folder` and return, per step, its rows and its rejects.

    A source that was cut short by `--limit` may leave nothing to export; that is shown, not an
    error.
    """
    steps = key_steps(plan, resolve_models(plan), LocalFolder(folder))
    working = [step for step in steps if not step.is_export]
    shapes = [plain_shape(step) for step in working]
    Runner(plan, working, shapes, InlineExecutor, progress, lambda: False).run()
    shown = []
    for step in working:
        rows = [row for table in step.folder.tables() for row in table.to_pylist()]
        rejects = [row for table in step.folder.rejects() for row in table.to_pylist()]
        new = {column.name for column in (*step.step.stage.writes, *step.step.stage.extends)}
        visible = [{k: v for k, v in row.items() if k in new and k not in _HIDDEN} for row in rows]
        shown.append({"step": step.step.name, "rows": visible, "rejects": rejects})
    return shown


def preview_text(shown: list[dict[str, Any]]) -> str:
    """What each step added, readable."""
    lines: list[str] = []
    for step in shown:
        lines.append(f"== {step['step']}: {len(step['rows'])} rows, {len(step['rejects'])} rejects")
        for number, row in enumerate(step["rows"], 1):
            lines.append(f"-- row {number}")
            lines += [f"   {name}: {_shown(value)}" for name, value in row.items()]
        lines += [f"   rejected: {r['code']}: {r['message']}" for r in step["rejects"]]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "".join(f"\n     - {_brief(entry)}" for entry in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _brief(entry: dict[str, Any]) -> str:
    """An entry of a list column, without ids."""
    kept = {name: value for name, value in entry.items() if not name.endswith("_id")}
    return ", ".join(f"{name}: {value}" for name, value in kept.items() if value is not None)
