"""`prefmill plan`: what a run would do, what of it is done already, and what it will take."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.cli.settings import overrides
from pipeline.engines.base import ModelSpec
from pipeline.estimate.earlier import read_earlier
from pipeline.estimate.estimate import Estimate, estimate, source_rows
from pipeline.estimate.evidence import Measured
from pipeline.estimate.page import estimate_json, estimate_text
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.plan import Plan
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.fitting import Load, gib
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models, work_folder
from pipeline.runtime.stations import Station
from pipeline.runtime.survey import Survey, survey_fleet
from pipeline.tables import text_table
from schemas.recipe import Placement
from schemas.stage import Positions

_SHORT_KEY = 12


def handle(args: argparse.Namespace) -> int:
    """Show the plan. Reads metadata of models and input files; opens a model only to `--probe`.

    Raises:
        RecipeError: the recipe is wrong.
        InputError: a model or an input file does not exist, or the workers do not fit this machine.
        EngineUnavailable: no engine here can run a model of the recipe.
    """
    plan = compile_recipe(read_recipe(args.recipe, overrides(args), args.limit))
    out = Path(args.out) if args.out else Path("runs") / plan.recipe.name
    specs = resolve_models(plan)
    survey = survey_fleet(plan, specs)
    steps = key_steps(plan, specs, work_folder(plan, out))
    facts = plan_facts(plan, steps, survey)
    rows = source_rows(plan)
    found = estimate(plan, steps, specs, rows, _measure(args, plan, specs, out, rows))
    if args.json:
        facts["estimate"] = estimate_json(found)
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print(_page(facts, out, _workers(plan.recipe.placement, survey), found))
    return 0


def _measure(
    args: argparse.Namespace, plan: Plan, specs: dict[str, ModelSpec], out: Path, rows: int | None
) -> Measured | None:
    """What a probe comes to, if one is wanted; else what an earlier run did, if there was one."""
    if args.probe is None:
        return read_earlier(plan, specs, out)

    from pipeline.estimate.probe import probe
    from pipeline.runtime.progress import Progress

    count = args.probe if rows is None else min(args.probe, rows)
    few = compile_recipe(read_recipe(args.recipe, overrides(args), count))
    progress = Progress(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="prefmill-probe-") as folder:
        try:
            return probe(few, count, rows, Path(folder), progress)
        finally:
            progress.console.close()


def plan_facts(plan: Plan, steps: list[KeyedStep], survey: Survey) -> dict[str, Any]:
    """The plan as plain values: what `--json` prints."""
    specs = {role: spec for step in steps for role, spec in step.specs.items()}
    return {
        "name": plan.recipe.name,
        "seed": plan.recipe.seed,
        "steps": [
            _step_facts(step, station) for step, station in zip(steps, survey.stations, strict=True)
        ],
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
        "workers": [_load_facts(load) for load in survey.loads],
        "notes": list(survey.notes),
    }


def _step_facts(keyed: KeyedStep, station: Station) -> dict[str, Any]:
    stage = keyed.step.stage
    feed = keyed.feed
    return {
        "step": keyed.step.name,
        "stage": stage.name,
        "effect": "export" if keyed.is_export else stage.effect,
        "rows_at_most": feed.count if isinstance(feed, Positions) else getattr(feed, "limit", None),
        "models": sorted(keyed.specs),
        "group": station.group,
        "turn": station.turn + 1,
        "parts_in_flight": station.lanes,
        "reads": [column.name for column in (*stage.reads, *stage.optional)],
        "writes": [column.name for column in (*stage.writes, *stage.extends)],
        "drops": [column.name for column in stage.drops],
        "key": keyed.key,
        "done": keyed.folder.manifest() is not None,
    }


def _load_facts(load: Load) -> dict[str, Any]:
    return {
        "name": load.seat.name,
        "group": load.seat.group,
        "devices": list(load.seat.devices),
        "models": list(load.models),
        "needs_mb": load.needs_mb,
        "has_mb": load.has_mb,
    }


def _page(facts: dict[str, Any], out: Path, workers: str, found: Estimate) -> str:
    most = facts["steps"][0]["rows_at_most"]
    count = f"at most {most}" if most is not None else "as many as its files hold"
    models = [
        (model["role"], model["model"], model["engine"], model["fingerprint"])
        for model in facts["models"]
    ]
    parts = [f"{facts['name']} (seed {facts['seed']}): {count} source rows", _steps(facts, out)]
    if models:
        parts.append(text_table(("model", "is", "engine", "fingerprint"), models))
    parts.append(workers)
    notes = [note for model in facts["models"] for note in model["notes"]] + facts["notes"]
    return "\n\n".join([*parts, *(f"note: {note}" for note in notes), estimate_text(found)])


def _steps(facts: dict[str, Any], out: Path) -> str:
    header = ("step", "stage", "effect", "models", "workers", "turn", "parts at once", "key")
    rows = [
        (
            step["step"],
            step["stage"],
            step["effect"],
            ", ".join(step["models"]) or "-",
            step["group"] or "shared",
            str(step["turn"]),
            str(step["parts_in_flight"]),
            step["key"][:_SHORT_KEY],
            "done" if step["done"] else "to do",
            ", ".join(step["writes"]),
        )
        for step in facts["steps"]
    ]
    return text_table((*header, f"in {out}", "writes"), rows)


def _workers(placement: Placement, survey: Survey) -> str:
    """The table of workers, or who starts them."""
    if placement.scheduler is not None:
        return f"workers: those of the Dask scheduler at {placement.scheduler}"
    if placement.cluster is not None and placement.cluster.kind != "local":
        return f"workers: {placement.workers} of a {placement.cluster.kind} cluster"
    rows = [
        (
            load.seat.name if placement.workers else "this process",
            _place(load),
            ", then ".join(load.models) or "-",
            *_memory(load, len(survey.loads)),
        )
        for load in survey.loads
    ]
    return text_table(("worker", "runs on", "models in turn", "needs GiB", "has GiB"), rows)


def _place(load: Load) -> str:
    if load.seat.devices:
        return ", ".join(f"GPU {device}" for device in load.seat.devices)
    # A CPU's memory is always known.
    return "a GPU" if load.needs_mb != 0 and load.has_mb is None else "CPU"


def _memory(load: Load, workers: int) -> tuple[str, str]:
    if load.needs_mb == 0:
        return "-", "-"
    shared = "" if load.seat.devices or workers == 1 else " for all"
    return gib(load.needs_mb), gib(load.has_mb) + shared
