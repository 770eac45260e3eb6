"""What became of a dataset from one version to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.compare.languages import language_shift
from pipeline.compare.matches import match_labels, match_rows, match_splits
from pipeline.compare.shifts import category_shifts, number_shifts
from pipeline.compare.sides import database, load, one_row
from pipeline.compare.structure import ConfigDiff, Diff, FigureChange, Side
from pipeline.dataset.read import DatasetFolder
from schemas.errors import InputError

if TYPE_CHECKING:
    import duckdb


def diff_datasets(old: DatasetFolder, new: DatasetFolder) -> Diff:
    """Compare two datasets, config by config.

    Memory is bounded however many rows there are; see `pipeline.compare.sides`.

    Raises:
        InputError: they have no config in common, or files are missing, damaged or changed.
    """
    import duckdb

    common = [config for config in new.configs if config in old.configs]
    if not common:
        raise InputError(
            f"{old.path} and {new.path} have no dataset config in common: the one has "
            f"{', '.join(old.configs)}, the other {', '.join(new.configs)}. Compare datasets of "
            "the same recipe, or export the config that is missing."
        )
    configs = []
    with database() as connection:
        for config in common:
            try:
                configs.append(_diff_config(connection, old, new, config))
            except duckdb.Error as error:
                raise InputError(_unreadable(old, new, config, error)) from error
    return Diff(
        old=_side(old),
        new=_side(new),
        configs=tuple(configs),
        configs_added=tuple(name for name in new.configs if name not in old.configs),
        configs_dropped=tuple(name for name in old.configs if name not in new.configs),
        figures=_figures(old.figures, new.figures),
    )


def _side(folder: DatasetFolder) -> Side:
    return Side(str(folder.path), str(folder.manifest["run"]["name"]), folder.release)


def _unreadable(old: DatasetFolder, new: DatasetFolder, config: str, error: Exception) -> str:
    said = str(error).splitlines()[0]
    return (
        f"`{config}` of {old.path} and {new.path} cannot be compared: {said}. Fetch the dataset "
        "that is damaged anew, or run its recipe again."
    )


def _diff_config(
    connection: duckdb.DuckDBPyConnection, old: DatasetFolder, new: DatasetFolder, config: str
) -> ConfigDiff:
    columns = load(connection, old, new, config)
    rows_old, rows_new = (
        one_row(connection, f"SELECT count(*) FROM {side}_rows")[0] for side in ("old", "new")
    )
    both, changed, by_column = match_rows(connection, columns)
    compared, flipped, flipped_ids = match_labels(connection)
    moved, leaked, moved_ids = match_splits(connection)
    language = language_shift(connection, columns)
    categories = category_shifts(connection, columns)
    return ConfigDiff(
        name=config,
        rows_old=rows_old,
        rows_new=rows_new,
        added=rows_new - both,
        dropped=rows_old - both,
        changed=changed,
        columns_changed=by_column,
        columns_added=columns.added,
        columns_dropped=columns.dropped,
        compared=compared,
        flipped=flipped,
        flipped_ids=flipped_ids,
        prompts_moved=moved,
        prompts_leaked=leaked,
        moved_ids=moved_ids,
        numbers=tuple(number_shifts(connection, columns)),
        categories=tuple(categories if language is None else [*categories, language]),
    )


def _figures(old: Mapping[str, float], new: Mapping[str, float]) -> tuple[FigureChange, ...]:
    names = dict.fromkeys([*new, *old])
    return tuple(FigureChange(name, old.get(name), new.get(name)) for name in names)
