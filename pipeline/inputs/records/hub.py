"""Hugging Face datasets: from the hub, streamed, or from a folder that `datasets` saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.inputs.records.base import Record, check_fields_met
from schemas.errors import InputError
from schemas.ids import digest

_SAVED = ("dataset_dict.json", "state.json")
"""What `Dataset.save_to_disk` and `DatasetDict.save_to_disk` leave beside the data."""


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` saved this folder, so that `load_from_disk` opens it."""
    return any((folder / marker).is_file() for marker in _SAVED)


def saved_data_files(folder: Path) -> list[Path]:
    """The data of a saved dataset; the rest of the folder changes with every save."""
    return sorted(folder.rglob("*.arrow"))


def hub_digest(path: str, options: dict[str, str]) -> str:
    """Identity of a dataset on the hub: the commit that its revision stands for.

    Raises:
        InputError: no such dataset or revision, or the hub cannot be reached.
    """
    try:
        from huggingface_hub import HfApi

        commit = HfApi().dataset_info(path, revision=options.get("revision")).sha
    except Exception as error:  # the hub and its transport raise a dozen unrelated types
        raise _cannot_open(path, error) from error
    return digest("hub", path, str(commit))


def read_hub(
    path: str, local: Path | None, options: dict[str, str], fields: Sequence[str]
) -> Iterator[Record]:
    """Rows of one split of a dataset.

    Args:
        path: the dataset's name, as the recipe gives it.
        local: the folder it lies in, if it is on this machine.
        options: `split` (default `train`), `config`, `revision`.
        fields: wanted columns.

    Raises:
        InputError: the dataset, config or split cannot be opened.
    """
    split = options.get("split", "train")
    name = f"{path}[{split}]"
    rows = _open(path, local, split, options)
    records = (Record(f"{name}:{i}", dict(row)) for i, row in enumerate(_guarded(path, rows), 1))
    yield from check_fields_met(name, records, fields)


def _open(path: str, local: Path | None, split: str, options: dict[str, str]) -> Iterable[Any]:
    try:
        import datasets

        if local is None or not is_saved_dataset(local):
            where = path if local is None else str(local)
            revision = options.get("revision") if local is None else None
            rows: Iterable[Any] = datasets.load_dataset(
                where, options.get("config"), split=split, revision=revision, streaming=True
            )
            return rows
        saved = datasets.load_from_disk(str(local))
        rows = saved[split] if isinstance(saved, datasets.DatasetDict) else saved
        return rows
    except Exception as error:  # datasets and the hub raise a dozen unrelated types
        raise _cannot_open(path, error) from error


def _guarded(path: str, rows: Iterable[Any]) -> Iterator[Any]:
    """Streaming fails late: at the first row, or when the connection goes."""
    try:
        yield from rows
    except Exception as error:  # as above
        raise _cannot_open(path, error) from error


def _cannot_open(path: str, error: Exception) -> InputError:
    advice = (
        "install the extra: pip install 'prefmill[models]'"
        if isinstance(error, ImportError)
        else "check the name, `config`, `split` and `revision`, and that the hub can be reached"
    )
    return InputError(
        f"dataset `{path}` cannot be read: {type(error).__name__}: {error}. What to do: {advice}."
    )
