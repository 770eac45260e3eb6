"""What a push is asked to do, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.hub.changes import Change


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to publish.

    Attributes:
        private: a repo that is made is private; one that is there must be.
        create_pr: propose the commit in a pull request, without a tag.
        revision: the branch; None for `main`.
        tag: of the commit; None for `v<release>` on `main`, and for none on other branches.
        dry_run: say what would be done, do nothing.
        message: of the commit; None for one that names the release.
        needs_license: refuse a card that states none.
        adopt: publish beside files that prefmill did not write.
        parent: the commit on which alone the new one may stand; None for any.
    """

    private: bool = False
    create_pr: bool = False
    revision: str | None = None
    tag: str | None = None
    dry_run: bool = False
    message: str | None = None
    needs_license: bool = True
    adopt: bool = False
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was done, or would be.

    Attributes:
        revision: the commit that holds the dataset; None without commits, or in a dry run that
            would make one.
        tag: what the commit is called; None without tags.
        changed: whether anything was, or would be, written or deleted.
        changes: file by file.
        pull_request: its address, if one was made or holds this dataset already.
    """

    revision: str | None
    tag: str | None
    changed: bool
    changes: tuple[Change, ...] = ()
    pull_request: str | None = None
