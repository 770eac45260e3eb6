"""From what a place holds to what it shall hold: which files to add, replace and delete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.dataset.card_head import head_values
from pipeline.dataset.card_merge import merge_card
from pipeline.dataset.read import CARD, MANIFEST, is_ours
from pipeline.hub.contents import Contents, Source, digest_of, size_of
from schemas.errors import InputError

NEUTRAL = frozenset((".gitattributes", CARD))
"""Files of a repo that was just made by hand."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Held:
    """A file as a place holds it.

    Attributes:
        kind: of the digest, as in `digest_of`; empty if the digest is not known.
    """

    size: int
    digest: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """What a place holds.

    Attributes:
        revision: the commit, where there are commits.
        manifest: of the dataset there, if there is one.
        card: text of the card there, if there is one.
    """

    revision: str | None = None
    files: Mapping[str, Held] = field(default_factory=dict)
    manifest: Mapping[str, Any] | None = None
    card: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether prefmill wrote the dataset there."""
        return self.manifest is not None and is_ours(dict(self.manifest))

    @property
    def release(self) -> int:
        """Of the dataset there; 0 if there is none."""
        return (self.manifest or {}).get("release") or 1 if self.is_ours else 0


@dataclass(frozen=True, slots=True)
class Change:
    """One file to be written or deleted.

    Attributes:
        size: bytes, of what is deleted for deletions.
        source: None for deletions.
    """

    action: Literal["add", "replace", "delete"]
    path: str
    size: int
    source: Source | None = None


def refuse_to_overwrite(place: str, contents: Contents, remote: Remote, *, adopt: bool) -> None:
    """Raise InputError if the place holds what is not ours, or a newer release."""
    foreign = sorted(remote.files.keys() - NEUTRAL)
    if foreign and not remote.is_ours and not adopt:
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise InputError(
            f"{place} holds files that prefmill did not write: {', '.join(foreign[:_SHOWN])}{more} "
            f"(no {MANIFEST} of ours). Choose another place, or add --adopt to publish beside them."
        )
    if remote.release > contents.release:
        raise InputError(
            f"{place} holds release {remote.release} and this dataset is release "
            f"{contents.release}: publishing it would take rows away. `prefmill refresh` makes the "
            "next release out of the last one; to go back, revert the commit there."
        )


def with_card(
    place: str,
    contents: Contents,
    remote: Remote,
    *,
    needs_license: bool,
    tell: Callable[[str], None],
) -> Contents:
    """The same, with the card that keeps what people wrote into the one there.

    Raises:
        InputError: the YAML of the card there cannot be used, or no licence is stated though one
            is needed.
    """
    card = contents.card
    if remote.card is not None and not _is_as_written(remote):
        card = merge_card(remote.card, card, f"{place}/{CARD}")
        if contents.is_card_edited and card != contents.card:
            tell(f"{place}: {CARD} was edited here and there; what is written there stays")
    if needs_license and not head_values(card, CARD).get("license"):
        raise InputError(
            "no licence is stated, and none is guessed: set `card: {license: ...}` in the recipe "
            f"and run it again, write `license: ...` into the YAML of {CARD}, or add --no-license "
            "to publish without one."
        )
    return replace(contents, files={**contents.files, CARD: card.encode("utf-8")}, card=card)


def _is_as_written(remote: Remote) -> bool:
    """Whether nobody changed the card there since prefmill wrote it."""
    facts = (remote.manifest or {}).get("files", {}).get(CARD, {})
    found = digest_of((remote.card or "").encode("utf-8"), "blake2b")
    return bool(facts.get("blake2b_128") == found)


def card_text(place: str, content: bytes) -> str:
    """The text of a card. Raises InputError if it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{place}/{CARD} is not UTF-8, so what people wrote into it cannot be kept. Save it as "
            "UTF-8 or delete it there."
        ) from None


def json_object(content: bytes) -> dict[str, Any] | None:
    """A JSON object; None if it is something else."""
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def changes_between(contents: Contents, remote: Remote) -> list[Change]:
    """What to do, deletions last. Nothing if the place holds exactly this dataset.

    Stale are the files that the dataset there lists and this one does not, and shards in its
    folders that it does not know: the card's patterns would read them.
    """
    writes = [
        Change("replace" if path in remote.files else "add", path, size_of(source), source)
        for path, source in contents.files.items()
        if path not in remote.files or not is_same(source, remote.files[path])
    ]
    return writes + [
        Change("delete", path, remote.files[path].size) for path in _stale(contents, remote)
    ]


def is_same(source: Source, held: Held) -> bool:
    """Whether a place holds these bytes; False if it does not say."""
    if not held.kind or held.size != size_of(source):
        return False
    return digest_of(source, held.kind) == held.digest


def _stale(contents: Contents, remote: Remote) -> Iterable[str]:
    known = (remote.manifest or {}).get("files", {}) if remote.is_ours else {}
    folders = tuple(f"{name}/" for name in contents.configs)
    for path in sorted(remote.files.keys() - contents.files.keys()):
        if path in known or (path.startswith(folders) and path.endswith(".parquet")):
            yield path
