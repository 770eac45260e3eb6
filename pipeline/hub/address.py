"""Names of places where datasets are: a hub's repos, and folders here or behind a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError

_REPO_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_EDGE = re.compile(r"(^|/)[-.]|[-.](/|$)")
_REF = re.compile(r"[A-Za-z0-9][\w./-]{0,199}", re.ASCII)
HUB_URL = "hf://datasets/"
"""In front of org/name: a hub's, whatever folders there are."""


@dataclass(frozen=True, slots=True)
class HubPlace:
    """A dataset repo of a hub, perhaps at a branch, a tag or a commit."""

    repo_id: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repo_id if self.revision is None else f"{self.repo_id}@{self.revision}"


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A folder: a path on this machine, or a URL that fsspec knows."""

    url: str

    def __str__(self) -> str:
        return self.url


def place_of(text: str) -> HubPlace | StorePlace:
    """What a user means: a URL, a folder that is there, else `org/name[@revision]` of a hub.

    A path that is not there yet is known by its beginning: `/`, `./`, `../` or `~`.

    Raises:
        InputError: it is none of these.
    """
    if text.startswith(HUB_URL):
        return _hub_place(text.removeprefix(HUB_URL))
    if "://" in text:
        return StorePlace(text.rstrip("/"))
    path = Path(text).expanduser()
    if path.exists() or path.is_absolute() or text.startswith((".", "~")):
        return StorePlace(str(path))
    if "/" in text:
        return _hub_place(text)
    raise InputError(
        f"{text}: no such folder, and no repo either: those are named org/name. Name a folder, a "
        "URL such as s3://bucket/folder, or org/name[@revision]."
    )


def _hub_place(text: str) -> HubPlace:
    repo_id, _, revision = text.partition("@")
    check_repo_id(repo_id)
    return HubPlace(repo_id, check_ref(revision, "revision") if revision else None)


def check_repo_id(repo_id: str) -> str:
    """The id itself. Raises InputError if a hub would not take it."""
    is_plain = _REPO_ID.fullmatch(repo_id) and not _EDGE.search(repo_id)
    if is_plain and not any(bad in repo_id for bad in ("--", "..")) and repo_id[-4:] != ".git":
        return repo_id
    raise InputError(
        f"repo id {repo_id!r}: a hub takes org/name, each of 1 to 96 letters, digits, `-`, `_` and "
        "`.` (ASCII), not beginning or ending in `-` or `.`, without `--` and `..`, and not ending "
        "in `.git`"
    )


def check_ref(name: str, what: str) -> str:
    """A branch's or tag's name itself. Raises InputError if git would not take it."""
    is_plain = _REF.fullmatch(name) and not name.endswith(("/", ".", ".lock"))
    if is_plain and not any(bad in name for bad in ("..", "//", "/.")):
        return name
    raise InputError(
        f"{what} {name!r}: allowed are ASCII letters, digits, `.`, `_`, `-` and `/`, beginning "
        "with a letter or digit, without `..` and not ending in `/`, `.` or `.lock`"
    )
