"""Publish a dataset folder: to a repo of a hub in one commit, or to a folder here or at a URL."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.dataset.read import DatasetFolder
from pipeline.hub.address import HubPlace, check_ref, check_repo_id, place_of
from pipeline.hub.contents import contents_of
from pipeline.hub.outcome import Pushed, PushOptions
from schemas.errors import InputError

__all__ = ["PushOptions", "Pushed", "push_dataset"]


def push_dataset(
    dataset: DatasetFolder, place: str, options: PushOptions, tell: Callable[[str], None]
) -> Pushed:
    """Publish a dataset; nothing is done if the place holds it already.

    Args:
        dataset: checked against its manifest first.
        place: `org/name` of a hub, a path or a URL.
        options: how.
        tell: hears what goes on, a line at a time.

    Raises:
        InputError: the dataset, the place or the options cannot be used, or the hub refuses.
    """
    where = place_of(place)
    if isinstance(where, HubPlace):
        from pipeline.hub.to_hub import push_to_hub

        return push_to_hub(contents_of(dataset), where.repo_id, _checked(where, options), tell)
    from pipeline.hub.to_store import push_to_store

    return push_to_store(contents_of(dataset), where.url, _of_store(options), tell)


def _checked(place: HubPlace, options: PushOptions) -> PushOptions:
    """The options of a push to a hub. Raises InputError if one is wrong."""
    check_repo_id(place.repo_id)
    if place.revision is not None:
        raise InputError(f"{place}: name the branch by --revision {place.revision}")
    if options.revision is not None:
        check_ref(options.revision, "--revision")
    if options.tag is not None:
        check_ref(options.tag, "--tag")
        if options.create_pr:
            raise InputError(
                "--tag and --create-pr: a tag is for what is on the branch. Push again without "
                "--create-pr when the pull request is merged; that makes the tag and nothing else."
            )
    return options


def _of_store(options: PushOptions) -> PushOptions:
    of_hub = {
        "--private": options.private,
        "--create-pr": options.create_pr,
        "--revision": options.revision,
        "--tag": options.tag,
        "--message": options.message,
    }
    if given := [name for name, value in of_hub.items() if value]:
        raise InputError(f"{', '.join(given)}: folders and object stores have no such thing")
    return options
