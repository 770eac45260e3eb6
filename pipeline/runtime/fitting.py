"""Do the workers of a plan fit onto a machine: its devices, its cores, its memory.

Pure: the machine is given. Memory is compared with lower bounds of what models need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Machine
from pipeline.engines.footprint import attention_heads, footprint, kv_cache_bytes, window_bytes
from pipeline.recipe.groups import GENERAL
from pipeline.recipe.plan import Plan
from pipeline.runtime.fleet import Seat, Team, cpu_engines, teams
from schemas.errors import Problem

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Load:
    """A worker and what it carries.

    Attributes:
        models: roles that take turns on it.
        needs_mb: MiB that the largest of them needs at least; None if one is unknown.
        has_mb: MiB there for it: its devices' share, or the host's memory, which all workers
            without devices have together; None if unknown.
    """

    seat: Seat
    models: tuple[str, ...]
    needs_mb: int | None
    has_mb: int | None


def load_of(seat: Seat, team: Team, machine: Machine) -> Load:
    """What one worker of a team carries."""
    roles = tuple(spec.role for spec in team.specs)
    needs = {spec.role: _needs_mb(spec, machine) for spec in team.specs}
    known = [(mb, spec) for spec in team.specs if (mb := needs[spec.role]) is not None]
    if not team.has_weights:
        return Load(seat, roles, 0, None)
    most, largest = max(known, key=lambda item: item[0], default=(None, team.specs[0]))
    has = gpu_memory(largest, seat.devices, machine) if machine.on_gpu else machine.memory_mb
    return Load(seat, roles, most if len(known) == len(needs) else None, has)


def gib(mb: int | None) -> str:
    """MiB as GiB, for people."""
    return "?" if mb is None else f"{mb / 1024:.1f}"


def _needs_mb(spec: ModelSpec, machine: Machine) -> int | None:
    found = footprint(spec, machine.on_gpu)
    return None if found is None else -(-found.total_bytes // _MIB)


def gpu_memory(spec: ModelSpec, devices: Sequence[int], machine: Machine) -> int | None:
    """MiB that an engine gets of these devices: it takes as much from each as from the least."""
    sizes = {device.index: device.memory_mb for device in machine.devices}
    used = [sizes.get(device) for device in devices[: spec.placement.tensor_parallel]]
    known = [size for size in used if size is not None]
    if not used or len(known) < len(used):
        return None
    share = spec.placement.gpu_memory_share if spec.engine == "vllm" else 1.0
    return int(min(known) * len(used) * share)


def fleet_problems(plan: Plan, specs: Mapping[str, ModelSpec], machine: Machine) -> list[Problem]:
    """Everything for which the workers of a plan could not start or hold their models."""
    found = teams(plan, specs, machine)
    problems = [problem for spec in specs.values() for problem in _split_problems(spec)]
    if machine.on_gpu:
        for team in found:
            problems += _device_problems(team, machine) or _gpu_problems(team, machine)
        return problems
    for team in found:
        problems += _no_gpu_problems(team, machine)
    problems += [*_core_problems(found, machine), *_host_problems(found, machine)]
    return problems


def _split_problems(spec: ModelSpec) -> Iterator[Problem]:
    split, place = spec.placement.tensor_parallel, _key(spec.role, "tensor_parallel")
    if split == 1:
        return
    if spec.engine != "vllm":
        seen = f"{split}, and `{spec.role}` runs on {spec.engine}"
        yield Problem(place, seen, "1; only vLLM splits a model over devices")
    heads = attention_heads(spec)
    if spec.engine == "vllm" and heads is not None and heads % split:
        divisors = ", ".join(str(n) for n in range(1, 65) if heads % n == 0)
        seen = f"{split} does not divide the {heads} attention heads of {spec.entry.model}"
        yield Problem(place, seen, divisors)


def _device_problems(team: Team, machine: Machine) -> list[Problem]:
    """Its devices exist, and are enough."""
    if not team.has_weights or not (machine.devices or team.listed):
        return []
    known = [device.index for device in machine.devices]
    strange = [str(device) for device in team.devices if known and device not in known]
    if strange:
        seen = f"there is no GPU {', '.join(strange)} here"
        return [Problem(_key(team.group, "devices"), seen, ", ".join(map(str, known)))]
    wanted = team.workers * team.split
    if len(team.devices) >= wanted:
        return []
    left = ", ".join(map(str, team.devices)) or "none"
    each = f", {team.split} each" if team.split > 1 else ""
    seen = (
        f"{_workers(team)} on {wanted} GPU{'s' if wanted > 1 else ''}{each}; there for them: {left}"
    )
    more = "list more in `devices`" if team.listed else f"this machine has {len(known)} for all"
    advice = f"lower `workers` or `tensor_parallel`; {more}"
    return [Problem(_key(team.group, "workers"), seen, advice=advice)]


def _gpu_problems(team: Team, machine: Machine) -> Iterator[Problem]:
    """Each model fits into the devices of each of its workers."""
    for spec in team.specs:
        needs = footprint(spec, on_gpu=True)
        for first in range(0, team.workers * team.split, team.split):
            devices = team.devices[first : first + team.split][: spec.placement.tensor_parallel]
            has = gpu_memory(spec, devices, machine)
            if needs is None or has is None or needs.total_bytes <= has * _MIB:
                continue
            names = ", ".join(map(str, devices))
            share = f" (gpu_memory_share {spec.placement.gpu_memory_share})"
            yield Problem(
                f"models.{spec.role}",
                f"{spec.entry.model} needs at least {_gib(needs.total_bytes)} GiB "
                f"({_gib(needs.weights_bytes)} weights, {_gib(needs.kv_bytes)} KV cache of one "
                f"full window); GPU {names} gives it {gib(has)} GiB"
                + (share if spec.engine == "vllm" else ""),
                advice="split it with `tensor_parallel`, lower `max_model_len`, take `dtype: "
                "bfloat16` or a smaller model, or raise gpu_memory_share",
            )
            break


def _no_gpu_problems(team: Team, machine: Machine) -> Iterator[Problem]:
    """On a CPU nothing asks for GPUs, and vLLM's cache holds a window."""
    if team.listed and team.has_weights:
        seen = f"GPUs are listed, and engines run on the CPU: {machine.why_no_gpu}"
        yield Problem(_key(team.group, "devices"), seen, advice="drop `devices`")
    splits = {s.role: s.placement.tensor_parallel for s in team.specs if s.engine == "vllm"}
    if len(set(splits.values())) > 1:
        seen = ", ".join(f"{role} {split}" for role, split in splits.items())
        yield Problem(
            _key(next(iter(splits)), "tensor_parallel"),
            f"models that take turns on the same cores are split differently: {seen}",
            advice="give them the same, or one of them `workers` of its own",
        )
    for spec in team.specs:
        window, cache = window_bytes(spec, on_gpu=False), kv_cache_bytes(spec)
        if spec.engine == "vllm" and window > cache:
            yield Problem(
                _key(spec.role, "kv_cache_mb"),
                f"the KV cache of `{spec.role}` is {_gib(cache)} GiB, and one request that fills "
                f"its window needs {_gib(window)} GiB",
                advice=f"set max_model_len in models.{spec.role}, or raise kv_cache_mb",
            )


def _core_problems(found: Sequence[Team], machine: Machine) -> Iterator[Problem]:
    engines, cores = cpu_engines(found, machine), len(machine.cores)
    if engines > max(1, cores):
        seen = f"{engines} engines at the same time, and {cores} CPU cores for them"
        advice = "lower `workers`: engines that share cores are far slower than one"
        yield Problem("placement.workers", seen, f"at most {cores} together", advice)


def _host_problems(found: Sequence[Team], machine: Machine) -> Iterator[Problem]:
    """The engines that are open at the same time fit into the host's memory together."""
    total, parts = 0, []
    for team in found:
        largest = max((_needs_mb(spec, machine) or 0 for spec in team.specs), default=0)
        total += team.workers * largest
        if largest:
            parts.append(f"{_workers(team)}, {gib(largest)} GiB each")
    if total > machine.memory_mb:
        yield Problem(
            "placement",
            f"the engines need at least {gib(total)} GiB together ({'; '.join(parts)}); this "
            f"machine has {gib(machine.memory_mb)} GiB",
            advice="lower `workers` or `kv_cache_mb`, take `dtype: bfloat16` or a smaller model, "
            "or let models take turns: drop `workers` of placement.models",
        )


def _key(group: str, field: str) -> str:
    return f"placement.{field}" if group == GENERAL else f"placement.models.{group}.{field}"


def _workers(team: Team) -> str:
    whose = f" of `{team.group}`" if team.group else ""
    return f"{team.workers} worker{'s' if team.workers > 1 else ''}{whose}"


def _gib(size: int) -> str:
    return gib(-(-size // _MIB))
