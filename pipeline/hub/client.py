"""A dataset repo of a hub: what it holds, and what can be done to it."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.dataset.read import CARD, MANIFEST
from pipeline.hub.changes import Change, Held, Remote, card_text, json_object
from pipeline.hub.patience import patiently, status_of, wait_out
from schemas.errors import InputError

_DATASET = "dataset"
_THREADS = 8
_BATCH = 64
"""Files after which it is said how far it is."""

_MOVED = 412
_EXISTS = 409


class Moved(Exception):
    """The repo has to be read again before anything is done; says why."""


@dataclass(frozen=True, slots=True)
class Names:
    """The commits of a repo that have names: by branch, by tag, by `refs/pr/<number>`."""

    branches: dict[str, str]
    tags: dict[str, str]
    pulls: dict[str, str]


class HubRepo:
    """A dataset repo. Each call is repeated while that can help."""

    def __init__(self, repo_id: str, tell: Callable[[str], None]) -> None:
        from huggingface_hub import HfApi

        _quiet()
        self.repo_id = repo_id
        self._tell = tell
        self._api: Any = HfApi()

    def _do(self, name: str, **options: Any) -> Any:
        """Call the client's method of this name on the repo, again while that may help."""
        return patiently(lambda: self._once(name, **options), self._tell)

    def _once(self, name: str, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a card's YAML, whoever wrote it
            return getattr(self._api, name)(repo_id=self.repo_id, repo_type=_DATASET, **options)

    def is_private(self) -> bool | None:
        """Whether only some may read it; None if there is no such repo."""
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        try:
            return bool(self._do("repo_info").private)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return None

    def create(self, *, private: bool) -> None:
        """Make the repo; no error if it is there."""
        self._do("create_repo", private=private, exist_ok=True)

    def create_branch(self, name: str) -> None:
        """Begin a branch where `main` is; no error if it is there."""
        self._do("create_branch", branch=name, exist_ok=True)

    def names(self, *, pulls: bool = False) -> Names:
        """Commits by name; those of pull requests only if asked for."""
        refs = self._do("list_repo_refs", include_pull_requests=pulls)
        return Names(
            {ref.name: ref.target_commit for ref in refs.branches},
            {ref.name: ref.target_commit for ref in refs.tags},
            {ref.ref: ref.target_commit for ref in refs.pull_requests or ()},
        )

    def file(self, path: str, commit: str) -> Held | None:
        """A file at a commit; None if it is not there."""
        found = self._do("get_paths_info", paths=[path], revision=commit)
        return next((_held(entry) for entry in found), None)

    def read(self, revision: str) -> Remote:
        """What the repo holds at a branch, a tag or a commit."""
        commit = str(self._do("repo_info", revision=revision).sha)
        where = {"repo_id": self.repo_id, "repo_type": _DATASET, "revision": commit}
        entries = patiently(
            lambda: list(self._api.list_repo_tree(recursive=True, **where)), self._tell
        )
        files = {each.path: _held(each) for each in entries if hasattr(each, "blob_id")}
        content = {path: self._read(path, commit) for path in (MANIFEST, CARD) if path in files}
        manifest = json_object(content[MANIFEST]) if MANIFEST in content else None
        card = card_text(self.repo_id, content[CARD]) if CARD in content else None
        return Remote(commit, files, manifest, card)

    def _read(self, path: str, commit: str) -> bytes:
        with tempfile.TemporaryDirectory() as scratch:
            file = self._do("hf_hub_download", filename=path, revision=commit, cache_dir=scratch)
            return Path(file).read_bytes()

    def operations(self, changes: Sequence[Change]) -> list[Any]:
        """The changes as the client has them."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        return [
            CommitOperationDelete(change.path)
            if change.source is None
            else CommitOperationAdd(change.path, change.source)
            for change in changes
        ]

    def upload(self, operations: Sequence[Any], revision: str, *, create_pr: bool) -> None:
        """Send the large files, several at a time. What the hub has is not sent again.

        Raises:
            InputError: the repo's `.gitignore` leaves files out, which the commit would do unsaid.
        """
        additions = [each for each in operations if hasattr(each, "upload_info")]
        for start in range(0, len(additions), _BATCH):
            self._do(
                "preupload_lfs_files",
                additions=additions[start : start + _BATCH],
                revision=revision,
                create_pr=create_pr,
                num_threads=_THREADS,
            )
            if start + _BATCH < len(additions):
                self._tell(f"{self.repo_id}: sent {start + _BATCH:,} of {len(additions):,} files")
        if ignored := [each.path_in_repo for each in additions if each._should_ignore]:
            raise InputError(
                f"{self.repo_id}: its .gitignore leaves out {', '.join(ignored[:5])}"
                f"{', ...' if len(ignored) > 5 else ''}. Nothing was published; take these "
                "patterns out of it."
            )

    def commit(self, operations: Sequence[Any], parent: str, revision: str, message: str) -> str:
        """Make one commit of all operations, and return it.

        Raises:
            Moved: `revision` is not at `parent` any more; perhaps by this commit, if its answer
                was lost.
        """
        try:
            options = _commit_options(operations, parent, revision, message)
            return str(self._do("create_commit", **options).oid)
        except OSError as error:
            if status_of(error) == _MOVED:
                raise Moved("somebody else committed meanwhile") from None
            raise

    def propose(
        self, operations: Sequence[Any], parent: str, revision: str, message: str
    ) -> tuple[str, str]:
        """Make a pull request of all operations; returns its commit and its address.

        Raises:
            Moved: as for `commit`; or the answer was lost, and it may have been made.
        """
        options = _commit_options(operations, parent, revision, message)
        try:
            done = self._once("create_commit", **options, create_pr=True)
        except Exception as error:  # the client's own kinds and its HTTP library's; see `wait_out`
            if status_of(error) == _MOVED:
                raise Moved("somebody else committed meanwhile") from None
            wait_out(error, self._tell)
            raise Moved("perhaps the pull request was made") from None
        return str(done.oid), str(done.pr_url)

    def tag(self, name: str, commit: str) -> None:
        """Give a commit a name.

        Raises:
            InputError: another commit has it.
        """
        try:
            self._do("create_tag", tag=name, revision=commit)
        except OSError as error:
            if status_of(error) != _EXISTS:
                raise
            there = self.names().tags.get(name)
            if there != commit:
                raise InputError(
                    f"{self.repo_id}: the commit {commit[:12]} is made, but the tag {name} is at "
                    f"{str(there)[:12]}, put there meanwhile. Tags are never moved: run the same "
                    "command with --tag and another name."
                ) from None


def _commit_options(
    operations: Sequence[Any], parent: str, revision: str, message: str
) -> dict[str, Any]:
    return {
        "operations": operations,
        "commit_message": message,
        "revision": revision,
        "parent_commit": parent,
    }


def need_token() -> None:
    """Raise InputError if there is no token to write with."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise InputError(
            f"no token to publish to {endpoint()} with: set HF_TOKEN in the environment, or log in "
            "with `hf auth login`"
        )


def endpoint() -> str:
    """The address of the hub."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _held(entry: Any) -> Held:
    if entry.lfs is not None:
        return Held(entry.size, entry.lfs.sha256, "sha256")
    return Held(entry.size, entry.blob_id, "git")


def _quiet() -> None:
    """No bars where nobody sees them, no lines with addresses of uploads, which may be signed."""
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # HF_HUB_DISABLE_PROGRESS_BARS=0 asks for them anyway
            disable_progress_bars()
