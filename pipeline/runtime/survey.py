"""What a plan asks of this machine, and what it has: said before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Machine, this_machine
from pipeline.engines.footprint import footprint
from pipeline.recipe.plan import Plan
from pipeline.runtime.fitting import Load, fleet_problems, gib, load_of
from pipeline.runtime.fleet import Fleet, Team, plan_fleet, seats, teams
from pipeline.runtime.stations import Station, stations
from schemas.errors import InputError


@dataclass(frozen=True, slots=True)
class Survey:
    """Who does what where.

    Attributes:
        fleet: the workers to start.
        stations: by number of the step or export.
        loads: what each worker on this machine carries; with `workers: 0`, this process.
        notes: what the user should be told.
    """

    fleet: Fleet
    stations: tuple[Station, ...]
    loads: tuple[Load, ...]
    notes: tuple[str, ...]


def survey_fleet(
    plan: Plan, specs: Mapping[str, ModelSpec], machine: Machine | None = None
) -> Survey:
    """Map a plan onto a machine, this one unless another is given.

    Raises:
        InputError: with all that does not fit.
    """
    machine = machine or this_machine(any(spec.has_weights for spec in specs.values()))
    if problems := fleet_problems(plan, specs, machine):
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputError("\n".join([f"{count} with the workers", *map(str, problems)]))
    found = teams(plan, specs, machine)
    places = seats(found, machine)
    by_group = {team.group: team for team in found}
    return Survey(
        plan_fleet(plan, specs, machine),
        stations(plan, specs),
        tuple(load_of(seat, by_group[seat.group], machine) for seat in places),
        tuple(_notes(found, machine)),
    )


def _notes(found: Sequence[Team], machine: Machine) -> list[str]:
    notes = []
    for team in found:
        for spec in team.specs:
            if footprint(spec, machine.on_gpu) is None:
                notes.append(
                    f"{spec.role}: {spec.entry.model} is not on this machine yet, so whether it "
                    "fits into memory is not known"
                )
    if machine.on_gpu and any(team.has_weights for team in found):
        notes += _gpu_notes(found, machine)
    return notes


def _gpu_notes(found: Sequence[Team], machine: Machine) -> list[str]:
    if not machine.devices:
        return ["nvidia-smi does not list the GPUs: whether models fit into them is not known"]
    used = {device for seat in seats(found, machine) for device in seat.devices}
    idle = [str(device.index) for device in machine.devices if device.index not in used]
    notes = []
    if idle:
        notes.append(
            f"GPU {', '.join(idle)}: not used; raise `workers` or `tensor_parallel`, or place a "
            "model there with `devices`"
        )
    for team in found:
        notes += [note for spec in team.specs if (note := _occupied(spec, team, machine))]
    return notes


def _occupied(spec: ModelSpec, team: Team, machine: Machine) -> str | None:
    """A note if GPUs are in use: vLLM takes its share at once, and starts only where it is free."""
    if spec.engine != "vllm":
        return None
    share = spec.placement.gpu_memory_share
    short = [
        f"GPU {device.index} ({gib(device.free_mb)} of {gib(device.memory_mb)} GiB free)"
        for device in machine.devices
        if device.index in team.devices[: team.workers * team.split]
        and device.memory_mb is not None
        and device.free_mb is not None
        and device.free_mb < share * device.memory_mb
    ]
    if not short:
        return None
    return (
        f"{spec.role}: others are using {', '.join(short)}; vLLM takes {share:.0%} of it "
        "(gpu_memory_share) and will not start before that is free"
    )
