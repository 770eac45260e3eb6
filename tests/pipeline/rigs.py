"""Small plans and machines made by hand: which steps use which models, and what there is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Device, Machine
from pipeline.engines.scripted import EVERYTHING
from pipeline.recipe.plan import Plan, Step
from schemas.recipe import ExportEntry, ModelEntry, ModelPlacement, Placement, Recipe, StageEntry
from schemas.stage import Need
from tests.pipeline.fakes import EXPORT, SCORE, NoConfig

GIB_MB = 1024


def spec(
    role: str,
    engine: str = "vllm",
    path: str = "",
    placement: ModelPlacement | None = None,
    **entry: Any,
) -> ModelSpec:
    """A resolved model; `path` is the folder of its files, none by default."""
    named = ModelEntry(model=role, engine=engine, **entry)  # type: ignore[arg-type] # by test
    continuous = engine in ("vllm", "openai")
    return ModelSpec(
        role,
        named,
        placement or ModelPlacement(),
        engine,  # type: ignore[arg-type] # given by the test
        path or f"nowhere/{role}",
        None,
        EVERYTHING,
        role,
        continuous=continuous,
    )


def rig(
    steps: Sequence[str],
    placement: Mapping[str, Any] | None = None,
    engines: Mapping[str, str] | None = None,
    paths: Mapping[str, Path] | None = None,
) -> tuple[Plan, dict[str, ModelSpec]]:
    """A plan and its models: a step is the roles it uses, `policy judge`, or none; one export."""
    placed = Placement.model_validate_json(json.dumps(dict(placement or {})))
    roles = dict.fromkeys(role for step in steps for role in step.split())
    specs = {
        role: spec(
            role,
            (engines or {}).get(role, "vllm"),
            str((paths or {}).get(role, "")),
            placed.models.get(role),
        )
        for role in roles
    }
    recipe = Recipe(
        name="rig",
        models={role: found.entry for role, found in specs.items()},
        stages=[StageEntry(stage="score")],
        export=[ExportEntry(config="dpo")],
        placement=placed,
    )
    made = tuple(
        Step(index, f"step{index}", SCORE, NoConfig(), _needs(step))
        for index, step in enumerate(steps)
    )
    export = Step(len(made), "export_dpo", EXPORT, NoConfig(), ())
    return Plan(recipe, Path(), made, (export,)), specs


def _needs(step: str) -> tuple[Need, ...]:
    return tuple(Need("model", role, frozenset()) for role in step.split())


def gpus(count: int, gib: int = 80, free_gib: int | None = None) -> Machine:
    """A machine with that many GPUs."""
    free = gib if free_gib is None else free_gib
    devices = (Device(i, "GPU", gib * GIB_MB, free * GIB_MB) for i in range(count))
    return Machine("", tuple(devices), tuple(range(16)), 256 * GIB_MB)


def cpu(cores: int = 2, gib: int = 24) -> Machine:
    """A machine without a GPU."""
    return Machine("no NVIDIA driver", (), tuple(range(cores)), gib * GIB_MB)


def model_folder(folder: Path, gib: float, dtype: str = "BF16", **config: Any) -> Path:
    """A model of so many GiB on disk, as far as its headers say; its weights are not written."""
    folder.mkdir(parents=True, exist_ok=True)
    header = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": dtype, "shape": [1], "data_offsets": [0, int(gib * 2**30)]},
    }
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    (folder / "config.json").write_text(json.dumps(config))
    return folder
