"""Whether a Dask worker may be given tasks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import metadata
from pkgutil import resolve_name
from typing import Any

from pipeline.runtime.worker_setup import Facts, Probe, prepare_worker
from schemas.errors import InputError


def submit_to(
    client: Any, worker: str, function: Callable[..., Any], *arguments: Any, key: str | None = None
) -> Any:
    """Have one worker, and no other, call a function. Returns Dask's future."""
    return client.submit(
        function,
        *arguments,
        key=key,
        workers=[worker],
        allow_other_workers=False,
        pure=False,
        retries=0,
    )


async def admit(client: Any, worker: str, probe: Probe | None) -> Facts:
    """Prepare a worker. Without a probe it is taken to be of this installation.

    Raises:
        InputError: it cannot be used; says which one and why.
    """
    try:
        if probe is not None:
            await _compare_versions(client, worker)
            # Before anything of ours is sent: a worker dies of what it cannot unpickle.
            await _ask(client, worker, resolve_name, "pipeline.runtime.worker:perform")
        facts: Facts = await _ask(client, worker, prepare_worker, pickle.dumps(probe))
        return facts
    except InputError as error:
        raise InputError(f"the Dask worker at {worker} cannot be used: {error}") from error
    except Exception as error:  # anything may be wrong with a worker that others set up
        raise InputError(
            f"the Dask worker at {worker} cannot be used: {type(error).__name__}: {error}"
        ) from error


async def _compare_versions(client: Any, worker: str) -> None:
    """Asked with a function of the standard library: ours may not exist there."""
    ours = _installed()
    try:
        theirs = await _ask(client, worker, metadata.version, "prefmill")
    except metadata.PackageNotFoundError:
        theirs = None
    if theirs != ours:
        raise InputError(
            f"it has {_named(theirs)}, this is {_named(ours)}. "
            "Install the same version for workers and scheduler, and start them again"
        )


def _installed() -> str | None:
    try:
        return metadata.version("prefmill")
    except metadata.PackageNotFoundError:  # a checkout on the module path
        return None


def _named(version: str | None) -> str:
    return f"prefmill {version}" if version else "prefmill not installed"


async def _ask(client: Any, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
    future = submit_to(client, worker, function, *arguments)
    return await client.gather(future, asynchronous=True)
