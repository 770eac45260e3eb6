"""Write the dataset folder: Parquet shards, card and manifest, all of it or nothing.

    <out>/dataset/README.md                               the card
    <out>/dataset/manifest.json                           facts, counts, figures, checksums
    <out>/dataset/<config>/<split>-00000-of-000NN.parquet

Everything is built in `<out>/.dataset.new` and renamed into place. What people wrote into the card
that stands there stays (`card_merge`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.card import render_card
from pipeline.dataset.card_merge import merge_card
from pipeline.dataset.facts import ConfigFacts, ReleaseFacts, RunFacts, SplitFacts
from pipeline.dataset.ordering import in_order
from pipeline.dataset.place import check_place, read_card
from pipeline.dataset.read import CARD, FORMAT, MANIFEST, DatasetFolder
from pipeline.dataset.shards import row_groups, write_shards
from pipeline.dataset.splits import TRAIN, split_names, splits_of
from pipeline.dataset.swap import restore, swap
from pipeline.files import file_digest, read_json, write_json
from schemas.arrow import arrow_schema, check_no_nulls
from schemas.columns import ROW_ID, Column
from schemas.layouts import LABEL, ORDER
from schemas.recipe import Splits

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ConfigRows:
    """The rows of one dataset config.

    Attributes:
        columns: what the files hold after `row_id`, in this order: the exporter's `writes`. With
            `ORDER` among them the rows are sorted by it, and it is left out of the files.
        tables: gives the rows, part by part, each time it is called; columns beyond `columns` are
            left out.
    """

    columns: tuple[Column, ...]
    tables: Callable[[], Iterable[pa.Table]]


@dataclass(frozen=True, slots=True)
class Release:
    """What a dataset is beyond the rows of its run.

    Attributes:
        splits: which share of the prompts is held out.
        figures: what was measured, by name.
        last: the release before; its rows stand before the new ones, in the splits they are in.
        number: which release it is; None if it is none, but a single run.
    """

    splits: Splits = field(default_factory=Splits)
    figures: Mapping[str, float] = field(default_factory=dict)
    last: DatasetFolder | None = None
    number: int | None = None


_SINGLE = Release()


def write_dataset(
    out: Path, configs: Mapping[str, ConfigRows], run: RunFacts, release: Release = _SINGLE
) -> Path:
    """Write `<out>/dataset`, in place of an earlier one; returns its path.

    Raises:
        InputError: as `check_place`.
        ContractError: a null in a column that allows none.
    """
    target, fresh = out / "dataset", out / ".dataset.new"
    restore(target)
    check_place(target)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        facts = [_write_config(fresh, name, rows, release) for name, rows in configs.items()]
        card = _merged(out, render_card(run, facts, _release_facts(release)), release)
        (fresh / CARD).write_text(card, encoding="utf-8", newline="\n")
        write_json(fresh / MANIFEST, _manifest(fresh, run, facts, release))
        swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _merged(out: Path, new: str, release: Release) -> str:
    """A new card with what people wrote into the one before: that in `out`, or the last release's.

    Raises:
        InputError: the YAML of that one cannot be used.
    """
    folders = [out / "dataset", *([release.last.path] if release.last else [])]
    for place in (folder / CARD for folder in folders):
        if place.is_file():
            return merge_card(read_card(place), new, str(place))
    return new


def _release_facts(release: Release) -> ReleaseFacts:
    last, earlier = release.last, None
    if last is not None:
        earlier = {name: sum(last.splits(name).values()) for name in last.configs}
    return ReleaseFacts(release.figures, release.number, earlier)


def is_current(out: Path, run: RunFacts, release: Release = _SINGLE) -> bool:
    """True if `<out>/dataset` is what `run` made for `release`, every file as it was written."""
    folder = out / "dataset"
    manifest = read_json(folder / MANIFEST)
    if manifest is None or manifest.get("format") != FORMAT:
        return False
    return _facts_of(run, release).items() <= manifest.items() and all(
        (folder / name).is_file() and file_digest(folder / name) == facts["blake2b_128"]
        for name, facts in manifest["files"].items()
    )


def _facts_of(run: RunFacts, release: Release) -> dict[str, Any]:
    """What a manifest says of how the dataset came about, as JSON has it."""
    facts = {
        "run": asdict(run),
        "splits": release.splits.model_dump(),
        "figures": dict(release.figures),
        "release": release.number,
    }
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain


def _manifest(
    folder: Path, run: RunFacts, facts: Sequence[ConfigFacts], release: Release
) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "format": FORMAT,
        **_facts_of(run, release),
        "configs": {
            config.name: {
                "rows": config.rows,
                "columns": [column.name for column in config.columns],
                "splits": {split.name: split.rows for split in config.splits},
            }
            for config in facts
        },
        "files": {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "blake2b_128": file_digest(path),
            }
            for path in files
        },
    }


def _write_config(folder: Path, name: str, rows: ConfigRows, release: Release) -> ConfigFacts:
    columns = (ROW_ID, *(column for column in rows.columns if column is not ORDER))
    schema = arrow_schema(columns)
    target = folder / name
    target.mkdir()
    splits = []
    for split in split_names(release.splits):
        tables = chain(
            _earlier(release.last, name, split), _new(rows, release, name, split, folder / ".order")
        )
        groups = row_groups((_checked(table, schema, name) for table in tables), schema)
        first = next(groups)
        if first.num_rows or split == TRAIN:  # `datasets` loads no split without a row
            shards = write_shards(target, split, schema, chain((first,), groups))
            splits.append(_split_facts(split, shards, columns))
    return ConfigFacts(name, columns, tuple(splits))


def _earlier(last: DatasetFolder | None, config: str, split: str) -> Iterator[pa.Table]:
    """The rows of the last release, which come first: its shards then stay as they are."""
    if last is not None and config in last.configs and split in last.splits(config):
        yield from last.tables(config, split)


def _new(
    rows: ConfigRows, release: Release, config: str, split: str, scratch: Path
) -> Iterator[pa.Table]:
    """The run's own rows of a split, in their order, without those of the last release."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = row_ids(release.last, config)

    def of_split() -> Iterator[pa.Table]:
        for table in rows.tables():
            table = table.select([ROW_ID.name, *(column.name for column in rows.columns)])
            is_here = [name == split for name in splits_of(table, release.splits)]
            here = table.filter(pa.array(is_here, pa.bool_()))
            if len(known):
                here = here.filter(pc.invert(pc.is_in(here.column(ROW_ID.name), known)))
            yield here

    return in_order(of_split(), scratch) if ORDER in rows.columns else of_split()


def row_ids(last: DatasetFolder | None, config: str) -> pa.Array:
    """The row_ids of a config of the last release; none if it had none."""
    import pyarrow as pa

    if last is None or config not in last.configs:
        return pa.array([], pa.string())
    tables = last.tables(config, columns=[ROW_ID.name])
    return pa.chunked_array(
        [chunk for table in tables for chunk in table.column(0).chunks], pa.string()
    ).combine_chunks()


def _checked(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """The columns of `schema`, none of them with a null that it does not allow."""
    import pyarrow as pa

    plain = pa.Table.from_arrays(table.select(schema.names).columns, schema=schema)
    check_no_nulls(plain, f"dataset config `{name}`")
    return plain


def _split_facts(name: str, shards: Sequence[Path], columns: Sequence[Column]) -> SplitFacts:
    """What was written, as the files themselves say."""
    import pyarrow.parquet as pq

    footers = [pq.read_metadata(path) for path in shards]
    groups = [footer.row_group(i) for footer in footers for i in range(footer.num_row_groups)]
    n_desirable = None
    if LABEL in columns:
        labels = (pq.read_table(path, columns=[LABEL.name]).column(0) for path in shards)
        n_desirable = sum(label.to_pylist().count(True) for label in labels)
    return SplitFacts(
        name=name,
        rows=sum(footer.num_rows for footer in footers),
        num_bytes=sum(group.total_byte_size for group in groups),
        download_size=sum(path.stat().st_size for path in shards),
        n_desirable=n_desirable,
    )
