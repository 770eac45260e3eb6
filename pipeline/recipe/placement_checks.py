"""Does a recipe's `placement` make sense in itself: who gives the workers, who has which device.

What only the machine can tell, e.g. whether a device exists, is `pipeline.runtime.fitting`'s part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from pipeline.recipe.groups import groups_of, is_apart, workers_come_from_elsewhere
from pipeline.recipe.nearest import did_you_mean
from pipeline.recipe.overrides import parse_path
from pipeline.recipe.problems import validate
from pipeline.recipe.recipe_io import RecipeSource
from pipeline.recipe.resolve_steps import Resolved
from pipeline.recipe.yaml_io import KeyPath, dotted
from schemas.errors import Problem
from schemas.recipe import Placement

_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
"""Ways to a Dask scheduler in another process; `inproc` is none."""

_PLACE = ("placement",)


def placement_problems(source: RecipeSource, steps: Sequence[Resolved]) -> Iterator[Problem]:
    """Placement speaks of models that exist, contradicts neither itself nor a step."""
    models, placed = source.data.get("models"), source.data.get("placement")
    entries: dict[str, Any] = models if isinstance(models, dict) else {}
    roles = placed.get("models") if isinstance(placed, dict) else None
    for role in roles if isinstance(roles, dict) else ():
        if role not in entries:
            place = (*_PLACE, "models", role)
            seen, advice = f"no model is called `{role}`", did_you_mean(role, entries)
            yield source.problem(place, seen, ", ".join(entries), advice)
    placement, _ = validate(Placement, placed or {}, source, _PLACE)
    if placement is None:  # reported with the recipe's own problems
        return
    servers = {
        role
        for role, entry in entries.items()
        if isinstance(entry, dict) and entry.get("engine") == "openai"
    }
    yield from _cluster_problems(source, placement)
    yield from _whereabouts_problems(source, placement)
    yield from _device_problems(source, placement, servers)
    yield from _group_problems(source, placement, servers, steps)


def _cluster_problems(source: RecipeSource, placement: Placement) -> Iterator[Problem]:
    """One party provides the workers, and can."""
    cluster, address = placement.cluster, placement.scheduler
    if address is not None and cluster is not None:
        seen = f"a cluster to start, and `scheduler: {address}` of one that runs"
        yield source.problem((*_PLACE, "cluster"), seen, advice="keep one of the two")
    if address is not None and not _is_address(address):
        yield source.problem(
            (*_PLACE, "scheduler"),
            f'"{address}"',
            f"an address with a port, by {', '.join(f'{scheme}://' for scheme in _SCHEMES)}",
            "give the one that `dask scheduler` prints, e.g. tcp://10.0.0.1:8786",
        )
    if cluster is None:
        return
    if cluster.kind == "local" and cluster.options:
        seen = f"`kind: local` has no options; seen: {', '.join(cluster.options)}"
        advice = "workers on this machine are described by `workers` and `devices`"
        yield source.problem((*_PLACE, "cluster", "options"), seen, advice=advice)
    if cluster.kind != "local" and placement.workers == 0:
        seen = f"0 workers of a {cluster.kind} cluster do nothing"
        yield source.problem((*_PLACE, "workers"), seen, "1 or more")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and bool(parts.port)
    except ValueError:  # a port that is no number
        return False


def _whereabouts_problems(source: RecipeSource, placement: Placement) -> Iterator[Problem]:
    """Devices, and workers of a model's own, are placed only where we start workers."""
    if workers_come_from_elsewhere(placement):
        for place, _ in _device_lists(placement):
            seen = "devices of this machine, and the workers are on others"
            advice = "drop it: who starts those workers gives them devices"
            if "models" in place:
                advice += "; `workers` keeps them apart for this model"
            yield source.problem(place, seen, advice=advice)
    elif placement.workers == 0:
        if placement.devices is not None:
            seen = "`workers: 0` works in this process, with the devices that it sees"
            advice = "set `workers: 1`, or choose by CUDA_VISIBLE_DEVICES"
            yield source.problem((*_PLACE, "devices"), seen, advice=advice)
        for role in placement.models:
            if is_apart(role, placement):
                seen = f"workers of its own for `{role}`, and `workers: 0`, which starts none"
                advice = "set placement.workers to 1 or more, or drop `workers` and `devices` here"
                yield source.problem((*_PLACE, "models", role), seen, advice=advice)


def _device_problems(
    source: RecipeSource, placement: Placement, servers: Collection[str]
) -> Iterator[Problem]:
    """Each device is given once, and to somebody who has a use for it."""
    owner: dict[int, KeyPath] = {}
    for place, devices in _device_lists(placement):
        if not devices:
            yield source.problem(place, "no device", "one or more; or leave the key out")
        for index, device in enumerate(devices):
            if device in owner:
                seen = f"device {device} is given twice, first by {dotted(owner[device])}"
                advice = "one worker at a time has a device: give each another"
                yield source.problem((*place, index), seen, advice=advice)
            owner.setdefault(device, place)
    for role, own in placement.models.items():
        if role in servers and own.devices is not None:
            place = (*_PLACE, "models", role, "devices")
            seen = f"`{role}` is served by another process (`engine: openai`)"
            yield source.problem(place, seen, advice="drop `devices`: its server has them")


def _device_lists(placement: Placement) -> Iterator[tuple[KeyPath, list[int]]]:
    """Every list of devices, with where it stands; those of models come first."""
    for role, own in placement.models.items():
        if own.devices is not None:
            yield (*_PLACE, "models", role, "devices"), own.devices
    if placement.devices is not None:
        yield (*_PLACE, "devices"), placement.devices


def _group_problems(
    source: RecipeSource,
    placement: Placement,
    servers: Collection[str],
    steps: Sequence[Resolved],
) -> Iterator[Problem]:
    """A step runs on one worker, so the models it uses are placed together."""
    for step in steps:
        if step.stage is None or step.config is None:
            continue
        needs = {need.role: need.key for need in step.stage.needs(step.config)}
        groups = groups_of(needs, placement, servers)
        if len(set(groups.values())) < 2:
            continue
        apart = [role for role, group in groups.items() if group]
        roles = ", ".join(f"`{role}`" for role in groups)
        yield source.problem(
            (*step.path, *parse_path(needs[apart[0]])[:1]),
            f"step `{step.name}` uses {roles}, which are not on the same workers",
            advice="write a step for each of them, or place them together: drop `workers` and "
            f"`devices` of {', '.join(f'placement.models.{role}' for role in apart)}",
        )
