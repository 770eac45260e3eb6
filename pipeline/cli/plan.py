"""`prefmill plan`: what a run would do, and what of it is done already."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pipeline.cli.settings import overrides
from pipeline.cli.tables import text_table
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.plan import Plan
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models, work_folder
from pipeline.runtime.staffing import (
    Staffing,
    gib,
    largest_need_mb,
    refuse_misfits,
    staff,
    this_machine,
)
from pipeline.runtime.state import Shape
from schemas.stage import Positions

_SHORT_KEY = 12


def handle(args: argparse.Namespace) -> int:
    """Show the plan. Reads metadata of models and hashes input files; opens no model.

    Raises:
        RecipeError: the recipe is wrong.
        InputError: a model or an input file does not exist.
        EngineUnavailable: no engine here can run a model of the recipe.
    """
    plan = compile_recipe(read_recipe(args.recipe, overrides(args), args.limit))
    out = Path(args.out) if args.out else Path("runs") / plan.recipe.name
    steps = key_steps(plan, resolve_models(plan), work_folder(plan, out))
    staffing = staff(steps, plan.recipe.placement, this_machine())
    facts = plan_facts(plan, steps, staffing)
    print(json.dumps(facts, indent=2, ensure_ascii=False) if args.json else _page(facts, out))
    refuse_misfits(staffing)
    return 0


def plan_facts(plan: Plan, steps: list[KeyedStep], staffing: Staffing) -> dict[str, Any]:
    """The plan as plain values: what `--json` prints."""
    specs = {role: spec for step in steps for role, spec in step.specs.items()}
    return {
        "name": plan.recipe.name,
        "seed": plan.recipe.seed,
        "steps": [
            _step_facts(step, shape) for step, shape in zip(steps, staffing.shapes, strict=True)
        ],
        "workers": _worker_facts(plan, staffing),
        "models": [
            {
                "role": role,
                "model": spec.entry.model,
                "engine": spec.engine,
                "capabilities": sorted(spec.capabilities),
                "fingerprint": spec.fingerprint,
                "notes": list(spec.notes),
            }
            for role, spec in sorted(specs.items())
        ],
    }


def _worker_facts(plan: Plan, staffing: Staffing) -> list[dict[str, Any]]:
    """One entry per worker that is started here, else one per group of them."""
    names = [(seat.name, seat.group, seat.devices) for seat in staffing.fleet.seats]
    if not names:
        where = plan.recipe.placement.scheduler or "this process"
        if plan.recipe.placement.cluster is not None:
            where = f"{plan.recipe.placement.cluster.kind} cluster"
        names = [(f"{where}{group and ': '}{group}", group, ()) for group in staffing.groups]
    return [
        {
            "worker": name,
            "group": group,
            "devices": list(devices),
            "models": [spec.role for spec in staffing.groups[group]],
            "needs_mb": None if devices else largest_need_mb(staffing.groups[group]) or None,
            "parts_in_flight": staffing.fleet.lanes.get(group, 1),
        }
        for name, group, devices in names
    ]


def _step_facts(keyed: KeyedStep, shape: Shape) -> dict[str, Any]:
    stage = keyed.step.stage
    feed = keyed.feed
    return {
        "step": keyed.step.name,
        "stage": stage.name,
        "effect": "export" if keyed.is_export else stage.effect,
        "rows_at_most": feed.count if isinstance(feed, Positions) else getattr(feed, "limit", None),
        "models": sorted(keyed.specs),
        "reads": [column.name for column in (*stage.reads, *stage.optional)],
        "writes": [column.name for column in (*stage.writes, *stage.extends)],
        "drops": [column.name for column in stage.drops],
        "group": shape.group,
        "turn": shape.turn + 1,
        "parts_in_flight": shape.lanes,
        "key": keyed.key,
        "done": keyed.folder.manifest() is not None,
    }


def _page(facts: dict[str, Any], out: Path) -> str:
    header = ("step", "stage", "effect", "models", "turn", "key", f"in {out}", "writes")
    rows = [
        (
            step["step"],
            step["stage"],
            step["effect"],
            ", ".join(step["models"]) or "-",
            str(step["turn"]),
            step["key"][:_SHORT_KEY],
            "done" if step["done"] else "to do",
            ", ".join(step["writes"]),
        )
        for step in facts["steps"]
    ]
    models = [
        (model["role"], model["model"], model["engine"], model["fingerprint"])
        for model in facts["models"]
    ]
    source_rows = facts["steps"][0]["rows_at_most"]
    count = f"at most {source_rows}" if source_rows is not None else "as many as its files hold"
    parts = [
        f"{facts['name']} (seed {facts['seed']}): {count} source rows",
        text_table(header, rows),
    ]
    if models:
        parts.append(text_table(("model", "is", "engine", "fingerprint"), models))
    workers = [
        (
            worker["worker"],
            "GPU " + ", ".join(map(str, worker["devices"])) if worker["devices"] else "CPU",
            ", then ".join(worker["models"]) or "-",
            "-" if worker["needs_mb"] is None else gib(worker["needs_mb"]),
            str(worker["parts_in_flight"]),
        )
        for worker in facts["workers"]
    ]
    parts.append(text_table(("worker", "on", "models", "needs", "parts at once"), workers))
    parts += [f"note: {note}" for model in facts["models"] for note in model["notes"]]
    return "\n\n".join(parts)
