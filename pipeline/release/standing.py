"""A recipe as the next release runs it: on top of the last one, and held to its form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.dataset.read import DatasetFolder
from pipeline.recipe.plan import Plan, Step
from pipeline.release.home import work_of
from schemas.columns import ROW_ID
from schemas.errors import InputError, Problem, RecipeError
from schemas.ids import release_seed
from schemas.layouts import ORDER, SCHEME, SIGNATURES
from schemas.recipe import Splits
from schemas.stage import StageConfig
from stages import dedup
from stages._signatures import SignatureConfig, scheme_of

if TYPE_CHECKING:
    import pyarrow as pa


def plan_release(plan: Plan, last: DatasetFolder | None, number: int, recipe: str) -> Plan:
    """The plan of release `number`, which adds to `last`.

    Its seed is the release's own, and `dedup` knows what the last release has.

    Args:
        plan: the compiled recipe.
        last: the release before; None for the first.
        number: of the release to make.
        recipe: the recipe's file, for messages.

    Raises:
        RecipeError: the recipe exports no signatures, or no `dedup` goes by them.
        InputError: the recipe makes rows that cannot stand beside those of the last release.
    """
    signatures = _signatures_of(plan, recipe)
    knowing = _knowing(plan, signatures, recipe)
    if last is not None:
        _refuse_other_form(plan, last, signatures)
        index = str((last.path / SIGNATURES).absolute())
        knowing = {name: _with_index(step, index) for name, step in knowing.items()}
    steps = tuple(knowing.get(step.name, step) for step in plan.steps)
    seed = release_seed(plan.recipe.seed, number)
    work = plan.recipe.placement.work
    placement = {"work": None if work is None else work_of(work, number)}
    update = {"seed": seed, "placement": plan.recipe.placement.model_copy(update=placement)}
    return replace(plan, recipe=plan.recipe.model_copy(update=update), steps=steps)


def _signatures_of(plan: Plan, recipe: str) -> SignatureConfig:
    """The settings of the signatures that the recipe exports."""
    for step in plan.exports:
        if step.stage.name == f"export_{SIGNATURES}" and isinstance(step.config, SignatureConfig):
            return step.config
    seen = f"no `{SIGNATURES}`, by which the next release knows what this one has"
    comparing = next((step for step in plan.steps if _scheme(step) is not None), None)
    if comparing is None:
        advice = f"add to `export`: - {{config: {SIGNATURES}, after: dedup}}"
    else:
        settings = _settings(comparing.config)
        advice = f"add to `export`: - {{config: {SIGNATURES}{settings}, after: {comparing.name}}}"
    raise RecipeError([Problem("export", seen, advice=advice, file=recipe)])


def _knowing(plan: Plan, signatures: SignatureConfig, recipe: str) -> dict[str, Step]:
    """The `dedup` steps that compare rows by signatures made like those, by name."""
    scheme = scheme_of(signatures)
    found = {step.name: step for step in plan.steps if _scheme(step) == scheme}
    if found:
        return found
    seen = (
        f"no `dedup` with the texts and signature settings of `export: {SIGNATURES}`, so that what "
        "earlier releases have would come again"
    )
    line = f"- {{stage: dedup{_settings(signatures)}}}"
    advice = f"have before the stages that cost most: {line}"
    raise RecipeError([Problem("stages", seen, advice=advice, file=recipe)])


def _settings(config: StageConfig) -> str:
    """What a recipe must say of a `dedup` to have signatures made like another's, in YAML."""
    set_there = config.model_dump(mode="json", exclude_defaults=True)
    ours = {name: set_there[name] for name in SignatureConfig.model_fields if name in set_there}
    return "".join(f", {name}: {json.dumps(value)}" for name, value in ours.items())


def _scheme(step: Step) -> str | None:
    config = step.config
    if not isinstance(config, dedup.Config) or config.method == "semantic":
        return None
    return scheme_of(config)


def _with_index(step: Step, index: str) -> Step:
    assert isinstance(step.config, dedup.Config), "only those were chosen"
    earlier = (*step.config.index, index)
    return replace(step, config=step.config.model_copy(update={"index": earlier}))


def _refuse_other_form(plan: Plan, last: DatasetFolder, signatures: SignatureConfig) -> None:
    differences = list(_differences(plan, last, signatures))
    if differences:
        listed = "".join(f"\n  {difference}" for difference in differences)
        raise InputError(
            f"{last.path} is release {last.release} of another form than this recipe makes:{listed}"
            "\nRows of two forms make no dataset. Set the recipe back, or start a new dataset with "
            "another --into."
        )


def _differences(plan: Plan, last: DatasetFolder, signatures: SignatureConfig) -> Iterator[str]:
    ours = plan.recipe.splits
    theirs = Splits.model_validate(last.manifest.get("splits") or {})
    if ours != theirs:
        yield f"splits: {_shares(ours)} instead of {_shares(theirs)}; prompts would move"
    made = {step.stage.name.removeprefix("export_"): step for step in plan.exports}
    if gone := sorted(set(last.configs) - set(made)):
        yield f"export: without {_listed(gone)}, which the release has"
    if new := sorted(set(made) - set(last.configs)):
        yield f"export: {_listed(new)}, which the release does not have"
    for config in sorted(set(made) & set(last.configs)):
        yield from _column_differences(made[config], last, config)
    if SIGNATURES in last.configs:
        yield from _scheme_differences(last, signatures)


def _shares(splits: Splits) -> str:
    return f"validation {splits.validation:g} and test {splits.test:g}"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _column_differences(step: Step, last: DatasetFolder, config: str) -> Iterator[str]:
    from schemas.arrow import arrow_schema

    columns = (ROW_ID, *(column for column in step.stage.writes if column is not ORDER))
    ours, theirs = _types(arrow_schema(columns)), _types(_schema_of(last, config))
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            seen, there = ours.get(name, "missing"), theirs.get(name, "missing")
            yield f"export `{config}`: column `{name}` is {seen} instead of {there}"


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in schema}


def _schema_of(last: DatasetFolder, config: str) -> pa.Schema:
    import pyarrow.parquet as pq

    shards = [path for split in last.splits(config) for path in last.shards(config, split)]
    if not shards:
        raise InputError(
            f"{last.path / config} has no file, though the dataset's manifest lists some. "
            "Bring them back, from a backup or from where the dataset was pushed to."
        )
    return pq.read_schema(shards[0])


def _scheme_differences(last: DatasetFolder, signatures: SignatureConfig) -> Iterator[str]:
    ours = scheme_of(signatures)
    for table in last.tables(SIGNATURES, columns=[SCHEME.name]):
        for theirs in table.column(SCHEME.name).unique().to_pylist():
            if theirs != ours:
                yield f"export `{SIGNATURES}`: made with {ours} instead of {theirs}"
                return
