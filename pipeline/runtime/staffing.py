"""From keyed steps to workers: who does what, where, and whether it can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Device, find_devices, host_cores, host_memory_mb
from pipeline.engines.footprint import attention_heads, host_need_mb, weights_mb
from pipeline.recipe.groups import GENERAL
from pipeline.runtime.fleet import (
    Fleet,
    is_ours,
    plan_fleet,
    wanted_devices,
    width,
    worker_count,
)
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.state import Shape
from pipeline.runtime.stations import shapes_of
from schemas.errors import InputError
from schemas.recipe import Placement


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run on here."""

    devices: tuple[Device, ...]
    cores: tuple[int, ...]
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Staffing:
    """Who does what.

    Attributes:
        shapes: of each step, what decides its order.
        groups: the models that each group of workers serves, each once.
        fleet: the workers.
        problems: why it cannot be done so on this machine; none if it can.
    """

    shapes: list[Shape]
    groups: dict[str, list[ModelSpec]]
    fleet: Fleet
    problems: tuple[str, ...]


def this_machine() -> Machine:
    """What there is here."""
    return Machine(find_devices(), tuple(host_cores()), host_memory_mb())


def staff(steps: Sequence[KeyedStep], placement: Placement, machine: Machine) -> Staffing:
    """Find workers for every step."""
    shapes = shapes_of(steps, placement)
    groups: defaultdict[str, list[ModelSpec]] = defaultdict(list)
    lanes: dict[str, int] = {GENERAL: 1}
    for step, shape in zip(steps, shapes, strict=True):
        lanes[shape.group] = max(lanes.get(shape.group, 1), shape.lanes)
        for spec in step.specs.values():
            if spec not in groups[shape.group]:
                groups[shape.group].append(spec)
    groups[GENERAL] = groups.get(GENERAL, [])
    fleet = plan_fleet(placement, groups, lanes, machine.devices, machine.cores)
    problems = tuple(_problems(groups, fleet, placement, machine))
    return Staffing(shapes, dict(groups), fleet, problems)


def refuse_misfits(staffing: Staffing) -> None:
    """Raise InputError, with every problem, if the work cannot be done so on this machine."""
    if staffing.problems:
        raise InputError("\n".join(["placement does not fit this machine", *staffing.problems]))


def _problems(
    groups: Mapping[str, Sequence[ModelSpec]],
    fleet: Fleet,
    placement: Placement,
    machine: Machine,
) -> Iterator[str]:
    for specs in groups.values():
        yield from _split_problems(specs)
    if not is_ours(placement):
        return  # the workers' machines are theirs to know
    if placement.workers == 0:
        apart = ", ".join(f"`{group}`" for group in groups if group)
        if apart:
            yield (
                f"placement.workers: 0 runs all in one process, and {apart} is to have workers of "
                "its own; set workers to 1 or more"
            )
        return
    yield from _device_problems(groups, placement, machine)
    if machine.devices:
        yield from _gpu_memory_problems(groups, placement, machine)
    else:
        yield from _host_problems(groups, fleet, machine)


def _split_problems(specs: Sequence[ModelSpec]) -> Iterator[str]:
    for spec in specs:
        ways = spec.placement.tensor_parallel
        if ways > 1 and spec.engine != "vllm":
            yield (
                f"placement.models.{spec.role}.tensor_parallel: {ways}, and `{spec.engine}` cannot "
                "split a model; set `engine: vllm`, or 1"
            )
        elif ways > 1 and (heads := attention_heads(spec)) and heads % ways:
            fits = ", ".join(str(n) for n in range(1, heads + 1) if heads % n == 0)
            yield (
                f"placement.models.{spec.role}.tensor_parallel: {ways} does not divide the "
                f"{heads} attention heads of {spec.entry.model}; allowed: {fits}"
            )


def _device_problems(
    groups: Mapping[str, Sequence[ModelSpec]], placement: Placement, machine: Machine
) -> Iterator[str]:
    here = {device.index for device in machine.devices}
    shown = ", ".join(map(str, sorted(here))) or "none"
    takers: dict[int, str] = {}
    for group, specs in groups.items():
        place = f"placement.models.{group}" if group else "placement"
        named = (placement.models[group] if group else placement).devices or []
        for device in named:
            if device not in here:
                yield f"{place}.devices: there is no GPU {device} here; there are: {shown}"
            elif device in takers:
                yield f"{place}.devices: GPU {device} is given to {takers[device]}, too"
            takers.setdefault(device, place)
        wanted = worker_count(group, specs, placement) * width(specs)
        free = len(wanted_devices(group, placement, machine.devices))
        needs = any(spec.engine == "vllm" for spec in specs) and (machine.devices or named)
        if needs and wanted > free:
            yield (
                f"{place}: {worker_count(group, specs, placement)} workers with {width(specs)} "
                f"GPUs each need {wanted}, and there are {free} for them; lower `workers` or "
                "`tensor_parallel`"
            )


def _gpu_memory_problems(
    groups: Mapping[str, Sequence[ModelSpec]], placement: Placement, machine: Machine
) -> Iterator[str]:
    for group, specs in groups.items():
        own = wanted_devices(group, placement, machine.devices)
        sizes = [device.memory_mb for device in machine.devices if device.index in own]
        for spec in specs:
            if spec.engine != "vllm" or not sizes:
                continue
            weights = weights_mb(spec, on_cpu=False)
            has = min(sizes) * spec.placement.tensor_parallel * spec.placement.gpu_memory_share
            if weights is not None and weights > has:
                yield (
                    f"model `{spec.role}`: its weights are {gib(weights)}, and its GPUs give "
                    f"{gib(has)}; raise tensor_parallel, or take a smaller model or dtype"
                )


def _host_problems(
    groups: Mapping[str, Sequence[ModelSpec]], fleet: Fleet, machine: Machine
) -> Iterator[str]:
    engines = [s for s in fleet.seats if any(m.engine == "vllm" for m in groups[s.group])]
    if len(engines) > len(machine.cores):
        yield (
            f"{len(engines)} workers would each run vLLM on the {len(machine.cores)} cores of this "
            "machine, where two on one core stop each other; lower placement.workers"
        )
    needs = {group: largest_need_mb(specs) for group, specs in groups.items()}
    total = sum(needs[seat.group] for seat in fleet.seats)
    if total > machine.memory_mb:
        each = ", ".join(f"{seat.name} {gib(needs[seat.group])}" for seat in fleet.seats)
        yield (
            f"the models need {gib(total)} of memory ({each}), and this machine has "
            f"{gib(machine.memory_mb)}; lower kv_cache_mb or workers, or let models take turns"
        )


def largest_need_mb(specs: Sequence[ModelSpec]) -> int:
    """What a worker on a CPU needs: models take turns, so the largest decides. Unknown counts 0."""
    local = (spec for spec in specs if spec.engine in ("vllm", "transformers"))
    return max((host_need_mb(spec) or 0 for spec in local), default=0)


def gib(mebibytes: float) -> str:
    """Mebibytes as a person says them."""
    return f"{mebibytes / 1024:.1f} GiB"
