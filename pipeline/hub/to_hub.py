"""Publish to a repo of a hub: uploads first, then one commit of everything, then a tag.

Until the commit readers see the old release, after it the new one. A push that ends between leaves
uploads that nobody sees and that the next push finds there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.dataset.read import MANIFEST
from pipeline.hub.changes import (
    Change,
    Remote,
    changes_between,
    is_same,
    refuse_to_overwrite,
    with_card,
)
from pipeline.hub.client import HubRepo, Moved, Names, endpoint, need_token
from pipeline.hub.contents import Contents
from pipeline.hub.outcome import Pushed, PushOptions
from pipeline.hub.patience import in_words
from schemas.errors import InputError

_RACES = 5
"""Commits of others that are waited out before giving up."""

_PULLS = 10
"""So many of the newest pull requests are looked at for the same dataset."""

_MAIN = "main"


def push_to_hub(
    contents: Contents, repo_id: str, options: PushOptions, tell: Callable[[str], None]
) -> Pushed:
    """Publish to a dataset repo, which is made if it is not there. See `push_dataset`."""
    with in_words(repo_id):
        if not options.dry_run:
            need_token()
        push = _Push(HubRepo(repo_id, tell), contents, options, tell)
        if not push.has_repo():
            return push.first_one_tried()
        for number in range(_RACES):
            try:
                return push.attempt(is_first=number == 0)
            except Moved as why:
                tell(f"{repo_id}: {why}; looking at it again")
    raise InputError(
        f"{repo_id}: others committed {_RACES} times while this push tried to. Nothing was "
        "published; run the same command again."
    )


@dataclass(frozen=True, slots=True)
class _Push:
    repo: HubRepo
    contents: Contents
    options: PushOptions
    tell: Callable[[str], None]

    @property
    def branch(self) -> str:
        return self.options.revision or _MAIN

    @property
    def tag(self) -> str | None:
        if self.options.create_pr or (self.branch != _MAIN and self.options.tag is None):
            return None
        return self.options.tag or f"v{self.contents.release}"

    def has_repo(self) -> bool:
        """Whether there is a repo, made if it was not; False in a dry run that would make it."""
        is_private = self.repo.is_private()
        if is_private is None and not self.options.dry_run:
            self._changes(Remote())  # what is refused anyway leaves no empty repo behind
            self.repo.create(private=self.options.private)
            self.tell(f"{self.repo.repo_id}: made")
        if is_private is False and self.options.private:
            raise InputError(
                f"{self.repo.repo_id} is there and is public: make it private in its settings "
                "first, or drop --private"
            )
        return is_private is not None or not self.options.dry_run

    def first_one_tried(self) -> Pushed:
        """What a dry run says of a repo that is not there."""
        changes = self._changes(Remote())
        self.tell(f"{self.repo.repo_id}: would be made")
        return Pushed(None, self.tag, True, tuple(changes))

    def attempt(self, *, is_first: bool) -> Pushed:
        """Read what is there, and do what is to be done. Raises Moved if it changed meanwhile."""
        names = self.repo.names(pulls=self.options.create_pr)
        remote = self._read(names)
        if not is_first:
            self._refuse_rival(remote)
        changes = self._changes(remote)
        if changes:
            self._refuse_other_parent(remote)
        self._check_tag(names)
        pull = self._pull_with_this(names) if changes and self.options.create_pr else None
        if pull is not None:
            return pull
        if self.options.dry_run:
            return Pushed(
                None if changes else remote.revision, self.tag, bool(changes), tuple(changes)
            )
        commit, address = remote.revision, None
        if changes:
            commit, address = self._commit(changes, str(remote.revision))
        tag, is_new = self._tag(str(commit), names)
        return Pushed(commit, tag, bool(changes) or is_new, tuple(changes), address)

    def _tag(self, commit: str, names: Names) -> tuple[str | None, bool]:
        """The tag that a commit has in the end, and whether it was made now."""
        there = names.tags.get(self.tag or "", commit)
        if there != commit:
            self.tell(
                f"{self.repo.repo_id}: the tag {self.tag} stays at {there[:12]}, which holds the "
                "same rows under an earlier card"
            )
            return None, False
        is_new = self.tag is not None and self.tag not in names.tags
        if self.tag is not None and is_new:
            self.repo.tag(self.tag, commit)
        return self.tag, is_new

    def _read(self, names: Names) -> Remote:
        if self.branch in names.branches:
            return self.repo.read(self.branch)
        if self.branch in names.tags:
            raise InputError(f"--revision {self.branch} is a tag; name a branch")
        if not self.options.dry_run:
            self.repo.create_branch(self.branch)
        return self.repo.read(_MAIN)

    def _changes(self, remote: Remote) -> list[Change]:
        place, options = self.repo.repo_id, self.options
        refuse_to_overwrite(place, self.contents, remote, adopt=options.adopt)
        ready = with_card(
            place, self.contents, remote, needs_license=options.needs_license, tell=self.tell
        )
        return changes_between(ready, remote)

    def _refuse_rival(self, remote: Remote) -> None:
        """Raise InputError if another dataset was published as this release meanwhile."""
        there = remote.files.get(MANIFEST)
        is_rival = there is not None and not is_same(self.contents.files[MANIFEST], there)
        if is_rival and remote.release >= self.contents.release:
            raise InputError(
                f"{self.repo.repo_id}: somebody else published release {remote.release} meanwhile, "
                f"and this dataset is release {self.contents.release}. It was left as it is; make "
                "the next release out of theirs with `prefmill refresh`."
            )

    def _refuse_other_parent(self, remote: Remote) -> None:
        """Raise InputError if the repo is not at the commit that this dataset was made from."""
        if self.options.parent not in (None, remote.revision):
            raise InputError(
                f"{self.repo.repo_id}: somebody else committed meanwhile: it is at "
                f"{str(remote.revision)[:12]}, and this release was made from "
                f"{str(self.options.parent)[:12]}. Nothing was published; the same command makes "
                "the next release out of what is there now."
            )

    def _check_tag(self, names: Names) -> None:
        """Raise InputError if the tag is at a commit that holds another dataset."""
        commit = names.tags.get(self.tag or "")
        if commit is not None and not self._is_at(commit):
            raise InputError(
                f"{self.repo.repo_id}: the tag {self.tag} is at commit {commit[:12]}, which holds "
                "another dataset, and tags are never moved. Nothing was published; add --tag and "
                "another name."
            )

    def _is_at(self, commit: str) -> bool:
        """Whether a commit holds this dataset, whatever its card says."""
        there = self.repo.file(MANIFEST, commit)
        return there is not None and is_same(self.contents.files[MANIFEST], there)

    def _pull_with_this(self, names: Names) -> Pushed | None:
        newest = sorted(names.pulls, key=_number, reverse=True)[:_PULLS]
        for ref in newest:
            if self._is_at(names.pulls[ref]):
                address = f"{endpoint()}/datasets/{self.repo.repo_id}/discussions/{_number(ref)}"
                return Pushed(names.pulls[ref], None, False, pull_request=address)
        return None

    def _commit(self, changes: Sequence[Change], parent: str) -> tuple[str, str | None]:
        """The new commit, and the pull request that it is in, if it is in one."""
        operations = self.repo.operations(changes)
        writes = [change for change in changes if change.source is not None]
        self.tell(f"{self.repo.repo_id}: sending {len(writes)} files, {_bytes(writes)}")
        self.repo.upload(operations, self.branch, create_pr=self.options.create_pr)
        if self.options.create_pr:
            return self.repo.propose(operations, parent, self.branch, self._message())
        return self.repo.commit(operations, parent, self.branch, self._message()), None

    def _message(self) -> str:
        facts = self.contents
        return self.options.message or f"{facts.name}: release {facts.release}, {facts.rows:,} rows"


def _number(ref: str) -> int:
    """Of the pull request `refs/pr/7`."""
    return int(ref.rsplit("/", 1)[-1])


def _bytes(changes: Sequence[Change]) -> str:
    return f"{sum(change.size for change in changes):,} bytes"
