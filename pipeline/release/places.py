"""Where releases are: what stands there, and how the next one gets there.

A folder changes in one step, a repo of a hub in one commit on top of the one that was read, an
object store file by file. Nothing is published over a release that somebody else made meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from pipeline.dataset.read import MANIFEST, DatasetFolder, open_dataset
from pipeline.hub.address import HUB_URL, HubPlace, place_of
from pipeline.hub.changes import NEUTRAL
from pipeline.hub.places import open_place
from pipeline.hub.push import PushOptions, push_dataset
from pipeline.hub.store import Store
from pipeline.hub.to_store import UNFINISHED
from pipeline.release.home import check_release, current, next_folder
from schemas.errors import InputError

Tell = Callable[[str], None]


class Place(Protocol):
    """Where a dataset grows."""

    def last(self) -> DatasetFolder | None:
        """The release that stands there, on this machine; None if there is none yet.

        Raises:
            InputError: the place cannot be read, or holds something else.
        """
        ...

    def publish(self, fresh: DatasetFolder) -> str:
        """Put the next release there; returns how to name it. Called after `last`.

        Raises:
            InputError: somebody else was faster, or the place refuses.
        """
        ...


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """The folder itself; `pipeline.release.home` does the publishing."""

    home: Path

    def last(self) -> DatasetFolder | None:
        """See `Place`."""
        last = current(self.home)
        if last is not None:
            check_release(last)
        return last

    def publish(self, fresh: DatasetFolder) -> str:
        """See `Place`."""
        return str(self.home / "dataset")


@dataclass(slots=True)
class RepoPlace:
    """A dataset repo of a hub, which must be there; it may be empty."""

    repo_id: str
    options: PushOptions
    tell: Tell
    _commit: str = field(default="", init=False)

    def last(self) -> DatasetFolder | None:
        """See `Place`."""
        from pipeline.hub.client import HubRepo, need_token
        from pipeline.hub.patience import in_words

        need_token()
        with in_words(self.repo_id):
            repo = HubRepo(self.repo_id, self.tell)
            if repo.is_private() is None:
                raise InputError(
                    f"{self.repo_id}: the hub has no such dataset repo, or your token may not see "
                    f"it. Make an empty one first; a folder of that name is ./{self.repo_id}."
                )
            there = repo.read("main")
        self._commit = str(there.revision)
        if not there.is_ours:
            _refuse_foreign(self.repo_id, set(there.files))
            return None
        last = open_place(f"{HUB_URL}{self.repo_id}@{self._commit}")
        # Of a refresh that was killed after its commit, the tag may be missing.
        push_dataset(last, f"{HUB_URL}{self.repo_id}", self._options(self._commit), self.tell)
        return last

    def publish(self, fresh: DatasetFolder) -> str:
        """See `Place`."""
        done = push_dataset(
            fresh, f"{HUB_URL}{self.repo_id}", self._options(self._commit), self.tell
        )
        return f"{self.repo_id}@{done.tag or done.revision}"

    def _options(self, parent: str) -> PushOptions:
        return replace(self.options, parent=parent)


@dataclass(slots=True)
class StorePlace:
    """A folder at a URL; `home` has the work on it."""

    store: Store
    options: PushOptions
    home: Path
    tell: Tell
    _seen: bytes | None = field(default=None, init=False)

    def last(self) -> DatasetFolder | None:
        """See `Place`."""
        if UNFINISHED in self.store.sizes():
            self._finish()
        self._seen = self._manifest()
        if self._seen is None:
            _refuse_foreign(str(self.store), set(self.store.sizes()))
            return None
        return open_place(self.store.url)

    def publish(self, fresh: DatasetFolder) -> str:
        """See `Place`."""
        if self._manifest() != self._seen:
            raise InputError(
                f"{self.store}: somebody else published there meanwhile, and it was left as it is. "
                "The same command makes the next release out of theirs."
            )
        push_dataset(fresh, self.store.url, self.options, self.tell)
        return str(self.store)

    def _finish(self) -> None:
        """Publish to the end what a refresh from here was killed over."""
        notice = json.loads(self.store.read(UNFINISHED))
        folder = next_folder(self.home, notice["release"]) / "dataset"
        coming = open_dataset(folder) if folder.exists() else None
        if coming is None or not coming.manifest["files"].items() <= notice["files"].items():
            raise InputError(
                f"{self.store}: a push to it is under way, or was cut short, and what it brings is "
                f"not in {self.home}. Wait for it, or repeat the command that began it."
            )
        self.tell(f"{self.store}: finishing release {coming.release}, which was cut short")
        push_dataset(coming, self.store.url, self.options, self.tell)

    def _manifest(self) -> bytes | None:
        return self.store.read(MANIFEST) if MANIFEST in self.store.sizes() else None


def place_at(into: str, options: PushOptions, home: Path, tell: Tell) -> Place:
    """The place that a user names: a folder, a URL, or `org/name` of a hub.

    Args:
        into: what the user typed.
        options: of every push there.
        home: where the work on a repo or URL lies.
        tell: hears what goes on, a line at a time.

    Raises:
        InputError: it is none of these.
    """
    where = place_of(into)
    if not isinstance(where, HubPlace):
        store = Store(where.url)
        return FolderPlace(store.path) if store.path else StorePlace(store, options, home, tell)
    if where.revision is not None:
        raise InputError(f"--into {into}: releases are made on `main`; name {where.repo_id}")
    return RepoPlace(where.repo_id, options, tell)


def _refuse_foreign(place: str, files: set[str]) -> None:
    if foreign := sorted(files - NEUTRAL):
        raise InputError(
            f"{place} holds {', '.join(foreign[:3])} and no dataset of prefmill; it is left alone. "
            "Name another place, or publish a first release there with `prefmill push --adopt`."
        )
