"""From a Plan to folders: models and inputs identified, a key for every step.

The first thing that looks at the outside world, and still a cheap one: it reads metadata and
hashes files, and opens no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engines.base import ModelSpec
from pipeline.folders import Folder, open_folder
from pipeline.recipe.keys import stage_key
from pipeline.recipe.plan import Plan, Step
from pipeline.runtime.store import StepFolder
from prompts.render import prompt_hash
from schemas.recipe import ModelPlacement
from schemas.stage import Feed, Given, Positions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class KeyedStep:
    """A step that knows where its work lives.

    Attributes:
        number: position among steps and exports; orders the folders.
        parent: number of the step whose rows it takes; None for a source.
        specs: the models it uses, by role.
        feed: for a source, what it is fed.
        given: files that it needs beside its rows, by name.
        is_export: whether it ends in the dataset.
    """

    number: int
    step: Step
    key: str
    folder: StepFolder
    parent: int | None
    specs: dict[str, ModelSpec]
    feed: Feed | None
    given: Mapping[str, Given]
    is_export: bool = False

    @property
    def config_name(self) -> str:
        """The dataset config that an export makes."""
        return self.step.stage.name.removeprefix("export_")


def resolve_models(plan: Plan) -> dict[str, ModelSpec]:
    """Each model that some step uses: its engine, files and fingerprint.

    Raises:
        InputError: a model that does not exist.
        EngineUnavailable: no engine on this machine can run it.
    """
    from pipeline.engines.resolve import resolve_model

    used = sorted({need.role for step in plan.steps for need in step.needs})
    placements = plan.recipe.placement.models
    return {
        role: resolve_model(
            role, plan.recipe.models[role], placements.get(role, ModelPlacement()), plan.base
        )
        for role in used
    }


def work_folder(plan: Plan, out: Path) -> Folder:
    """Where the work in progress goes: what the recipe's placement says, else into `out`.

    Raises:
        InputError: a URL that nothing installed here can open.
    """
    # Absolute: a worker may have been started in another folder.
    return open_folder(plan.recipe.placement.work or str(out.absolute() / "work"))


def key_steps(
    plan: Plan, specs: dict[str, ModelSpec], work: Folder, *, hash_inputs: bool = True
) -> list[KeyedStep]:
    """Identify every step and export of a plan.

    Args:
        hash_inputs: the content of input files is part of the keys; false for work that is thrown
            away, as large files take minutes.
    """
    keyed: list[KeyedStep] = []
    for step in plan.steps:
        parent = keyed[-1] if keyed else None
        keyed.append(_keyed(plan, specs, work, step, parent, len(keyed), False, hash_inputs))
    by_name: dict[str | None, KeyedStep] = {one.step.name: one for one in keyed}
    by_name[None] = keyed[-1]
    for step in plan.exports:
        parent = by_name[step.after]
        keyed.append(_keyed(plan, specs, work, step, parent, len(keyed), True, hash_inputs))
    return keyed


def _keyed(
    plan: Plan,
    specs: dict[str, ModelSpec],
    work: Folder,
    step: Step,
    parent: KeyedStep | None,
    number: int,
    is_export: bool,
    hash_inputs: bool,
) -> KeyedStep:
    used = {need.role: specs[need.role] for need in step.needs}
    feed = step.stage.feed(step.config) if step.stage.feed else None
    given = step.stage.given(step.config)
    key = stage_key(
        step,
        model_fingerprints={role: spec.fingerprint for role, spec in used.items()},
        prompt_hashes={name: prompt_hash(name) for name in step.stage.prompts(step.config)},
        input_digests=dict(_input_digests(feed, given, plan.base)) if hash_inputs else {},
        upstream=parent.key if parent else None,
        recipe_seed=plan.recipe.seed,
    )
    folder = StepFolder.at(work, number, step.name, key)
    parent_number = parent.number if parent else None
    return KeyedStep(number, step, key, folder, parent_number, used, feed, given, is_export)


def _input_digests(
    feed: Feed | None, given: Mapping[str, Given], base: Path
) -> Iterator[tuple[str, str]]:
    files = dict(given) if feed is None or isinstance(feed, Positions) else {"feed": feed, **given}
    for name, file in files.items():
        from pipeline.inputs.readers import content_digest

        yield name, content_digest(file, base)
