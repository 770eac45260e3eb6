"""Which worker processes a run has, on which devices, for which models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Device
from pipeline.recipe.groups import GENERAL
from schemas.recipe import Placement


@dataclass(frozen=True, slots=True)
class Seat:
    """One worker process on this machine.

    Attributes:
        name: unique, e.g. `policy-0`.
        group: the role that has it to itself, or GENERAL.
        devices: GPUs it sees.
        env: environment variables it starts with, e.g. `CUDA_VISIBLE_DEVICES`.
        children: whether its engine has processes of its own, one per device.
    """

    name: str
    group: str = GENERAL
    devices: tuple[int, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    children: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers of a run.

    Attributes:
        seats: workers to start on this machine; empty where others provide them.
        lanes: by group, how many parts a worker of it has in hand at once.
    """

    seats: tuple[Seat, ...] = ()
    lanes: dict[str, int] = field(default_factory=lambda: {GENERAL: 1})


def is_ours(placement: Placement) -> bool:
    """Whether the workers are started here, on this machine."""
    hired = placement.cluster is not None and placement.cluster.kind != "local"
    return placement.scheduler is None and not hired


def plan_fleet(
    placement: Placement,
    groups: Mapping[str, Sequence[ModelSpec]],
    lanes: Mapping[str, int],
    devices: Sequence[Device],
    cores: Sequence[int],
) -> Fleet:
    """Seat every worker.

    Args:
        placement: the recipe's.
        groups: the models that each group of workers serves.
        lanes: parts that a worker of each group has in hand.
        devices: the GPUs of this machine.
        cores: its CPU cores.
    """
    if not is_ours(placement) or placement.workers == 0:
        return Fleet((), dict(lanes))
    seats = [
        seat
        for group in sorted(groups)
        for seat in _seats(
            group, groups[group], placement, wanted_devices(group, placement, devices)
        )
    ]
    if not devices:
        seats = _share_cores(seats, groups, cores)
    return Fleet(tuple(seats), dict(lanes))


def width(specs: Iterable[ModelSpec]) -> int:
    """Devices that one worker for these models needs."""
    return max((spec.placement.tensor_parallel for spec in specs), default=1)


def worker_count(group: str, specs: Sequence[ModelSpec], placement: Placement) -> int:
    """Workers of a group: what the recipe says, else one for each set of its devices."""
    if group == GENERAL:
        return placement.workers
    own = placement.models[group]
    return own.workers or max(1, len(own.devices or ()) // width(specs))


def wanted_devices(group: str, placement: Placement, devices: Sequence[Device]) -> list[int]:
    """The GPUs of a group: those it was given, else those that nobody was given."""
    given = {d for own in placement.models.values() for d in own.devices or ()}
    wanted = placement.devices if group == GENERAL else placement.models[group].devices
    if wanted is not None:
        return wanted
    given |= set(placement.devices or ()) if group != GENERAL else set()
    return [device.index for device in devices if device.index not in given]


def _seats(
    group: str, specs: Sequence[ModelSpec], placement: Placement, devices: Sequence[int]
) -> list[Seat]:
    each = width(specs)
    local = any(spec.engine in ("vllm", "transformers") for spec in specs)
    seats = []
    for number in range(worker_count(group, specs, placement)):
        own = tuple(devices[number * each : (number + 1) * each]) if local else ()
        env = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, own))} if own else {}
        name = f"{group or 'worker'}-{number}"
        seats.append(Seat(name, group, own, env, children=each > 1))
    return seats


def _share_cores(
    seats: Sequence[Seat], groups: Mapping[str, Sequence[ModelSpec]], cores: Sequence[int]
) -> list[Seat]:
    """Give each engine on the CPU cores of its own: two that share some stop each other."""
    busy = [seat for seat in seats if any(spec.engine == "vllm" for spec in groups[seat.group])]
    if not busy or (len(busy) == 1 and not busy[0].children):
        return list(seats)
    share = max(1, len(cores) // len(busy))
    shared = {}
    for number, seat in enumerate(busy):
        own = list(cores[number * share : (number + 1) * share]) or list(cores)
        shared[seat.name] = _bind(own, width(groups[seat.group]))
    return [
        Seat(s.name, s.group, s.devices, {**s.env, **shared.get(s.name, {})}, s.children)
        for s in seats
    ]


def _bind(cores: Sequence[int], ranks: int) -> dict[str, str]:
    """VLLM's setting for the cores of an engine: a list for each of its ranks, `|` between."""
    each = max(1, len(cores) // ranks)
    lists = [cores[rank * each : (rank + 1) * each] or cores for rank in range(ranks)]
    text = "|".join(",".join(map(str, own)) for own in lists)
    return {"VLLM_CPU_OMP_THREADS_BIND": text}
