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
    facts = plan_facts(plan, key_steps(plan, resolve_models(plan), work_folder(plan, out)))
    print(json.dumps(facts, indent=2, ensure_ascii=False) if args.json else _page(facts, out))
    return 0


def plan_facts(plan: Plan, steps: list[KeyedStep]) -> dict[str, Any]:
    """The plan as plain values: what `--json` prints."""
    specs = {role: spec for step in steps for role, spec in step.specs.items()}
    return {
        "name": plan.recipe.name,
        "seed": plan.recipe.seed,
        "steps": [_step_facts(step) for step in steps],
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


def _step_facts(keyed: KeyedStep) -> dict[str, Any]:
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
        "key": keyed.key,
        "done": keyed.folder.manifest() is not None,
    }


def _page(facts: dict[str, Any], out: Path) -> str:
    header = ("step", "stage", "effect", "models", "key", f"in {out}", "writes")
    rows = [
        (
            step["step"],
            step["stage"],
            step["effect"],
            ", ".join(step["models"]) or "-",
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
    parts += [f"note: {note}" for model in facts["models"] for note in model["notes"]]
    return "\n\n".join(parts)
