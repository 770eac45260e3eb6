"""Whether a dataset's card tells programs that load files by it what the files hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.dataset.card_head import head_values
from pipeline.dataset.place import read_card
from pipeline.dataset.read import CARD, DatasetFolder
from schemas.errors import InputError, Problem

_ADVICE = (
    "`configs` and `dataset_info` are prefmill's: delete them, and run the recipe again to have "
    "them made anew"
)


def card_problems(dataset: DatasetFolder) -> Iterator[Problem]:
    """What is wrong with the head of a card; a card that is not there is no matter of the card."""
    path = dataset.path / CARD
    if not path.is_file():
        return
    try:
        head = head_values(read_card(path), str(path))
    except InputError as error:
        line, _, seen = str(error).removeprefix(f"{path}:").partition(": ")
        yield Problem("", seen, "YAML in UTF-8", "", str(path), int(line))
        return
    stated = {name: _stated(head, name) for name in dataset.configs}
    for name, (files, counts) in stated.items():
        wanted = dataset.splits(name)
        globs = {split: f"{name}/{split}-*.parquet" for split in wanted}
        if files != globs:
            yield Problem(f"configs: {name}", _told(files), _told(globs), _ADVICE, str(path))
        if counts != wanted:
            key = f"dataset_info: {name}"
            yield Problem(key, _told(counts), _told(wanted), _ADVICE, str(path))
    for name in sorted({*_by_name(head, "configs"), *_by_name(head, "dataset_info")} - {*stated}):
        yield Problem(name, "a config of the card", _told(stated), _ADVICE, str(path))


def _stated(head: Mapping[str, Any], config: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Files and number of rows by split, as a card has them."""
    files = _by_name(head, "configs").get(config, {}).get("data_files")
    splits = _by_name(head, "dataset_info").get(config, {}).get("splits")
    return (
        {str(each.get("split")): each.get("path") for each in _records(files)},
        {str(each.get("name")): each.get("num_examples") for each in _records(splits)},
    )


def _by_name(head: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    return {str(each.get("config_name")): each for each in _records(head.get(key))}


def _records(value: Any) -> list[dict[str, Any]]:
    """The mappings in what should be a list of them."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _told(values: Mapping[Any, Any]) -> str:
    shown = (
        f"{key}: {value}" if isinstance(value, str | int) else str(key)
        for key, value in sorted(values.items(), key=str)
    )
    return ", ".join(shown) or "nothing"
