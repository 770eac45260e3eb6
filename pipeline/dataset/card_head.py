"""The YAML at the head of a card: what the Hub and `datasets` go by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pipeline.dataset.facts import ConfigFacts, RunFacts
from schemas.errors import InputError
from schemas.types import ListOf, Scalar, Struct, Type

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)
_UNTRAINED = frozenset(("signatures", "lineage"))
"""Configs that no trainer reads: their names would be no use as tags."""
_RULE = "---"


def front_matter(run: RunFacts, configs: Sequence[ConfigFacts]) -> dict[str, Any]:
    """What the head says. Tags name `prefmill`, so that sets made with it can be found."""
    names = [config.name for config in configs if config.name not in _UNTRAINED]
    optional: dict[str, Any] = {"license": run.license, "language": list(run.language)}
    by_whom = ["found" if run.is_given else "machine-generated"]
    own = [*([] if run.is_given else ["synthetic"]), "preference", *names, "prefmill"]
    return {
        "pretty_name": run.pretty_name or run.name,
        **{key: value for key, value in optional.items() if value},
        "task_categories": ["text-generation"],
        "size_categories": [_size(max((config.rows for config in configs), default=0))],
        "annotations_creators": by_whom,
        "language_creators": by_whom,
        # A dict keeps the order and drops repeats.
        "tags": list(dict.fromkeys([*own, *run.tags])),
        "configs": [
            {
                "config_name": config.name,
                "data_files": [
                    {"split": split.name, "path": f"{config.name}/{split.name}-*.parquet"}
                    for split in config.splits
                ],
            }
            for config in configs
        ],
        "dataset_info": [_dataset_info(config) for config in configs],
    }


def _size(rows: int) -> str:
    return next((label for limit, label in _SIZES if rows < limit), "n>1B")


def _dataset_info(config: ConfigFacts) -> dict[str, Any]:
    return {
        "config_name": config.name,
        "features": [{"name": c.name, **_feature(c.type)} for c in config.columns],
        "splits": [
            {"name": split.name, "num_bytes": split.num_bytes, "num_examples": split.rows}
            for split in config.splits
        ],
        "download_size": sum(split.download_size for split in config.splits),
        "dataset_size": sum(split.num_bytes for split in config.splits),
    }


def _feature(kind: Type) -> dict[str, Any]:
    """A column type the way `datasets` writes it in a card."""
    if isinstance(kind, Scalar):
        return {"dtype": kind.name}
    if isinstance(kind, Struct):
        return {"struct": [{"name": each.name, **_feature(each.type)} for each in kind.fields]}
    inner = _feature(kind.item)
    return {"list": inner if isinstance(kind.item, ListOf) else next(iter(inner.values()))}


def head_text(values: Mapping[str, Any]) -> str:
    """YAML of some values, keys in their order."""
    import yaml

    class Plain(yaml.SafeDumper):
        """Writes every list out: an alias would tie two keys together."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    # Escaped, not as Unicode: PyYAML writes some line breaks (U+0085) so that it misreads them.
    return yaml.dump(dict(values), Dumper=Plain, sort_keys=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key at the top of a head.

    Attributes:
        lines: as they stand, those of its value and comments up to the next key included.
        value: as text, lists and mappings: `1` and `"1"` are the same.
    """

    key: str
    lines: tuple[str, ...]
    value: Any

    @property
    def checksum(self) -> str:
        """8 hex digits of its value, however that is written."""
        text = json.dumps(self.value, sort_keys=True)
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """A card's head: what stands before its first key, and its keys."""

    before: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()


def split_card(text: str, place: str) -> tuple[str, list[str]]:
    """The YAML of a card, empty if it has none, and the lines after it.

    Raises:
        InputError: the YAML has no end.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[first].rstrip() != _RULE:
        return "", lines
    for end in range(first + 1, len(lines)):
        if lines[end].rstrip() == _RULE:
            # Blank lines in front keep the numbers of lines as they are in the file.
            return "\n" * (first + 1) + "\n".join(lines[first + 1 : end]) + "\n", lines[end + 1 :]
    raise _broken(place, first + 1, f"the YAML that begins here has no closing `{_RULE}`")


def head_values(text: str, place: str) -> dict[str, Any]:
    """What the YAML at the head of a card says; empty if it has none.

    Raises:
        InputError: it is not YAML, or not keys with values.
    """
    import yaml

    head, _ = split_card(text, place)
    try:
        values = yaml.safe_load(head)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(place, mark.line + 1 if mark else 1, error.problem or str(error)) from None
    except yaml.reader.ReaderError as error:
        line = head.count("\n", 0, error.position) + 1
        raise _broken(place, line, f"character {error.character!r}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _broken(place, 1, str(error)) from None
    if not isinstance(values, dict | None):
        raise _broken(place, 1, f"a {type(values).__name__} instead of keys with values")
    return values or {}


def read_head(text: str, place: str) -> Head:
    """The head of a card, key by key.

    Raises:
        InputError: as `head_values`; also for a key given twice, and for an alias, because what it
            points to may be renewed.
    """
    import yaml

    values = head_values(text, place)
    head, _ = split_card(text, place)
    for token in yaml.scan(head, Loader=yaml.BaseLoader):
        if isinstance(token, yaml.AliasToken):
            raise _broken(place, token.start_mark.line + 1, f"`*{token.value}` is an alias")
    starts, plain = _parsed(head)
    if starts is None:  # `{a: 1, b: 2}`
        head = head_text(values)
        starts, plain = _parsed(head)
    if starts is None:
        raise _broken(place, 1, "a key that is no plain word")
    lines = head.removesuffix("\n").split("\n")
    bounds = [*starts, len(lines)]
    entries: dict[str, Entry] = {}
    for (start, key), end in zip(starts.items(), bounds[1:], strict=True):
        if key in entries:
            raise _broken(place, start + 1, f"`{key}` is given twice")
        entries[key] = Entry(key, tuple(lines[start:end]), plain[key])
    before = tuple(line for line in lines[: bounds[0]] if line.strip())
    return Head(before, tuple(entries.values()))


def _parsed(head: str) -> tuple[dict[int, str] | None, dict[str, Any]]:
    """The keys by the line in which they begin, None if one begins elsewhere in its line; and what
    each of them says, as text.
    """
    import yaml

    loader = yaml.BaseLoader(head)
    node = loader.get_single_node()
    if node is None:
        return {}, {}
    keys = [key for key, _ in node.value]
    starts = {key.start_mark.line: key.value for key in keys if not key.start_mark.column}
    return starts if len(starts) == len(keys) else None, loader.construct_document(node)


def _broken(place: str, line: int, what: str) -> InputError:
    what = " ".join(what.split())
    return InputError(
        f"{place}:{line}: the YAML at the head of the card cannot be used: {what}. Mend that line, "
        "or delete the file to have the card made anew; nothing was written."
    )


_MEMORY = re.compile(r"<!-- prefmill-head((?: [\w-]+=[0-9a-f]{8})*) -->")


def memory_of(head: str) -> str:
    """A comment by which a later merge tells which keys a person changed."""
    entries = read_head(f"{_RULE}\n{head}{_RULE}\n", "card").entries
    return f"<!-- prefmill-head{''.join(f' {each.key}={each.checksum}' for each in entries)} -->"


def read_memory(line: str) -> dict[str, str] | None:
    """What such a comment says, by key; None for any other line."""
    found = _MEMORY.fullmatch(line.strip())
    return dict(pair.split("=", 1) for pair in found[1].split()) if found else None


def comments_of(entry: Entry) -> list[str]:
    """Whole lines of comment below the key, which a person wrote."""
    import yaml

    tokens = yaml.scan("\n".join(entry.lines) + "\n", Loader=yaml.BaseLoader)
    texts = [token for token in tokens if isinstance(token, yaml.ScalarToken)]
    spans = [(t.start_mark.line, t.end_mark.line + bool(t.end_mark.column)) for t in texts]
    inside = {line for start, end in spans for line in range(start, end)}
    return [
        line
        for number, line in enumerate(entry.lines)
        if line.lstrip().startswith("#") and number not in inside
    ]
