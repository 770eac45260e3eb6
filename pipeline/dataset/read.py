"""A dataset folder as it lies on disk, for whoever works on a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from pipeline.dataset.splits import SPLITS, TRAIN
from pipeline.dataset.swap import OLD
from pipeline.files import read_json
from schemas.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "prefmill-dataset-2"
_FAMILY = "prefmill-dataset-"
MANIFEST = "manifest.json"
CARD = "README.md"


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """A dataset that prefmill wrote.

    Attributes:
        path: the folder.
        manifest: what `manifest.json` says: `run` (how it was made), `configs` (rows, columns and
            rows by split), `splits` (shares held out), `figures` (by name), `release` (its number,
            null for a single run) and `files` (bytes and checksum of each).
    """

    path: Path
    manifest: dict[str, Any]

    @property
    def configs(self) -> tuple[str, ...]:
        """Names of its configs, as the recipe has them."""
        return tuple(self.manifest["configs"])

    @property
    def release(self) -> int:
        """Which release it is; what a single run made is the first."""
        return self.manifest.get("release") or 1

    @property
    def figures(self) -> dict[str, float]:
        """What was measured when it was made, by name."""
        return dict(self.manifest.get("figures", {}))

    def splits(self, config: str) -> dict[str, int]:
        """Rows by split of a config, `train` first."""
        facts = self.manifest["configs"][config]
        rows = facts.get("splits", {TRAIN: facts["rows"]})
        return {name: rows[name] for name in SPLITS if name in rows}

    def shards(self, config: str, split: str) -> list[Path]:
        """The files of a split, in order."""
        return sorted((self.path / config).glob(f"{split}-*.parquet"))

    def tables(
        self, config: str, split: str | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """The rows of a config, or of one of its splits, a row group at a time."""
        import pyarrow.parquet as pq

        for each in self.splits(config) if split is None else (split,):
            for path in self.shards(config, each):
                with pq.ParquetFile(path) as file:
                    for group in range(file.num_row_groups):
                        yield file.read_row_group(group, columns=columns)


def open_dataset(path: Path) -> DatasetFolder:
    """The dataset at a path: a dataset folder, or the output folder of a finished run.

    Raises:
        InputError: there is none.
    """
    for folder in (path, path / "dataset", path / OLD):
        manifest = read_json(folder / MANIFEST)
        if manifest is not None and is_ours(manifest):
            _check_manifest(manifest, folder / MANIFEST)
            return DatasetFolder(folder, manifest)
    if not path.exists():
        raise InputError(f"{path}: no such folder. Name the output folder of a run, or its dataset")
    if (path / "run.json").is_file():
        raise InputError(
            f"{path}: the run has written no dataset yet. `prefmill status {path}` says how far it "
            "is; run the same command again to go on with it."
        )
    raise InputError(
        f"{path}: neither a run nor a dataset: no {MANIFEST} that prefmill wrote in it. Name the "
        "output folder of a run (`--out`), or the `dataset` folder in it."
    )


def is_ours(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is that of a dataset of ours, of whatever version."""
    return str(manifest.get("format", "")).startswith(_FAMILY)


class _Config(BaseModel):
    rows: int
    columns: list[str]
    splits: dict[str, int] = {}


class _File(BaseModel):
    bytes: int
    blake2b_128: str


class _Manifest(BaseModel):
    """What is relied on; the rest is for people."""

    configs: dict[str, _Config]
    files: dict[str, _File]
    run: dict[str, Any]
    figures: dict[str, float] = {}
    release: int | None = None


def _check_manifest(manifest: dict[str, Any], place: Path) -> None:
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise InputError(
            f"{place} is damaged, or was changed by hand: {'; '.join(faults)}. Take it from a "
            "copy, or delete the dataset and run the recipe again."
        ) from None
