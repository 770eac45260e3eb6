"""Which worker processes a run has, on which devices, for which models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Machine
from pipeline.recipe.groups import GENERAL as GENERAL
from pipeline.recipe.groups import workers_come_from_elsewhere
from pipeline.recipe.plan import Plan
from pipeline.runtime.stations import lanes_by_group, stations
from schemas.recipe import Placement


@dataclass(frozen=True, slots=True)
class Seat:
    """One worker process on this machine.

    Attributes:
        name: unique, e.g. `policy-0`.
        group: the role that has it to itself, or GENERAL.
        devices: GPUs it sees.
        env: environment variables it starts with, e.g. `CUDA_VISIBLE_DEVICES`.
        children: whether its engine has processes of its own, e.g. for `tensor_parallel`.
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
        preload: modules to import once for all that are started on this machine.
    """

    seats: tuple[Seat, ...] = ()
    lanes: dict[str, int] = field(default_factory=lambda: {GENERAL: 1})
    preload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Team:
    """A group of alike workers on this machine.

    Attributes:
        specs: the models that take turns on each of them, by first use.
        split: processes that an engine of theirs is split over, at most: each has a device.
        devices: GPUs to hand out, `split` each; too few if there are no more.
        listed: whether the recipe lists these devices.
    """

    group: str
    specs: tuple[ModelSpec, ...]
    workers: int
    split: int
    devices: tuple[int, ...]
    listed: bool

    @property
    def has_weights(self) -> bool:
        """Whether its workers need devices, if there are any."""
        return any(spec.has_weights for spec in self.specs)


def plan_fleet(plan: Plan, specs: Mapping[str, ModelSpec], machine: Machine) -> Fleet:
    """The workers of a plan; without seats where others start them, or nobody does."""
    lanes = lanes_by_group(stations(plan, specs))
    if plan.recipe.placement.workers == 0:
        return Fleet((), lanes)
    return Fleet(seats(teams(plan, specs, machine), machine), lanes, plan.preload)


def teams(plan: Plan, specs: Mapping[str, ModelSpec], machine: Machine) -> list[Team]:
    """The groups of workers on this machine, models with workers of their own first.

    With `workers: 0` this process counts as a worker. Listed devices go to those they are listed
    for; of the others, models that have workers of their own take what they need, and the
    general workers may use the rest.
    """
    placement = plan.recipe.placement
    if workers_come_from_elsewhere(placement):
        return []
    models = _models_by_group(plan, specs)
    listed = {group: _listed(group, placement) for group in models}
    taken = {device for devices in listed.values() for device in devices or ()}
    free = [device.index for device in machine.devices if device.index not in taken]
    found = []
    for group in sorted(models, key=lambda group: group == GENERAL):
        team = _team(group, models[group], placement, listed[group], free if machine.on_gpu else [])
        free = [device for device in free if device not in team.devices]
        found.append(team)
    return found


def _models_by_group(
    plan: Plan, specs: Mapping[str, ModelSpec]
) -> dict[str, tuple[ModelSpec, ...]]:
    """By group in use, the models that its workers open."""
    models: dict[str, dict[str, ModelSpec]] = {}
    steps = (*plan.steps, *plan.exports)
    for station, step in zip(stations(plan, specs), steps, strict=True):
        used = models.setdefault(station.group, {})
        used.update({need.role: specs[need.role] for need in step.needs})
    return {group: tuple(used.values()) for group, used in models.items()}


def _listed(group: str, placement: Placement) -> list[int] | None:
    return placement.devices if group == GENERAL else placement.models[group].devices


def _team(
    group: str,
    specs: tuple[ModelSpec, ...],
    placement: Placement,
    listed: Sequence[int] | None,
    free: Sequence[int],
) -> Team:
    split = max((s.placement.tensor_parallel for s in specs if s.engine == "vllm"), default=1)
    if group == GENERAL:
        workers = max(1, placement.workers)
    else:
        workers = placement.models[group].workers or max(1, len(listed or ()) // split)
    devices: Sequence[int] = ()
    if any(spec.has_weights for spec in specs):
        devices = listed if listed is not None else free[: workers * split]
    return Team(group, specs, workers, split, tuple(devices), listed is not None)


def seats(found: Iterable[Team], machine: Machine) -> tuple[Seat, ...]:
    """A seat for each worker of each team."""
    found = list(found)
    cores = _shares_of_cores(found, machine)
    return tuple(
        _seat(team, number, _bound(team, cores)) for team in found for number in range(team.workers)
    )


def _seat(team: Team, number: int, env: dict[str, str]) -> Seat:
    devices = team.devices[number * team.split : (number + 1) * team.split]
    if devices:
        # Without the order CUDA counts the fastest first, and the numbers are not nvidia-smi's.
        visible = ",".join(map(str, devices))
        env = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": visible}
    # No role can make the name of a general worker: its own end in a dash and a number.
    name = f"{team.group}-{number}" if team.group else f"worker{number}"
    return Seat(name, team.group, devices, env, children=team.split > 1)


def cpu_engines(found: Iterable[Team], machine: Machine) -> int:
    """Processes that compute on the CPU at the same time; each needs cores of its own."""
    return 0 if machine.on_gpu else sum(t.workers * t.split for t in found if t.has_weights)


def _shares_of_cores(found: Sequence[Team], machine: Machine) -> Iterator[str]:
    """Cores for each CPU engine, e.g. `0,1`; none to bind if one engine has them all."""
    engines, cores = cpu_engines(found, machine), machine.cores
    if engines < 2:
        return
    for number in range(engines):
        first, end = number * len(cores) // engines, (number + 1) * len(cores) // engines
        own = cores[first:end] or [cores[number % len(cores)]]
        yield ",".join(map(str, own))


def _bound(team: Team, cores: Iterator[str]) -> dict[str, str]:
    """Engines on the same cores wait for each other's threads: several times slower than apart.

    vLLM heeds its own variable only for processes that it starts; an engine in the worker's own
    process goes by those of OpenMP, which its library reads when torch loads it.
    """
    own = list(islice(cores, team.split)) if team.has_weights else []
    if not own:
        return {}
    bind = {"VLLM_CPU_OMP_THREADS_BIND": "|".join(own)}
    if team.split > 1:
        return bind
    threads = str(len(own[0].split(",")))
    places = {"OMP_PLACES": f"{{{own[0]}}}", "OMP_PROC_BIND": "true"}
    return {**bind, "OMP_NUM_THREADS": threads, **places}
