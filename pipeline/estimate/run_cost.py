"""From steps to the run: how long all of it takes where it runs, and what that costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.engines.base import ModelSpec
from pipeline.estimate.forecast import StepForecast
from pipeline.estimate.spread import Spread, exactly, total
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.stations import Station

_HOUR_S = 3600
_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work of a group.

    Attributes:
        engines: how many work beside each other without taking from each other.
        hands: the same for work that asks no model.
        devices: GPUs of all of them, or workers where there are none.
    """

    engines: int = 1
    hands: int = 1
    devices: int = 1


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run takes.

    Attributes:
        steps: seconds of each step where it runs, by name; None if unknown.
        starts_s: seconds until models are open, in all.
        seconds: of the run; None if a step's are unknown.
        models: by role, what it costs; only those with a price.
        notes: what was left out.
    """

    steps: Mapping[str, Spread | None]
    starts_s: float
    seconds: Spread | None
    models: Mapping[str, Spread | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_cost(
    steps: Sequence[KeyedStep],
    forecasts: Sequence[StepForecast],
    stations: Sequence[Station],
    crews: Mapping[str, Crew],
    starts: Mapping[str, float],
    parts: int,
) -> RunCost:
    """Add steps up as the run would do them.

    Steps of a group of workers share its engines, so their seconds add up, and models that take
    turns are opened at every turn. Groups work beside each other, part by part: the run lasts as
    long as the busiest, and the others' share of one part for the first to arrive.
    """
    seconds: dict[str, Spread | None] = {}
    busy: defaultdict[str, list[Spread]] = defaultdict(list)
    unknown = False
    for step, forecast, station in zip(steps, forecasts, stations, strict=True):
        crew = crews.get(station.group, Crew())
        found = _seconds(forecast, crew, parts)
        seconds[step.step.name] = found
        unknown |= found is None
        busy[station.group] += [found] if found else []
    opened = list(_openings(steps, stations))
    missing = {role for _, role in opened if role not in starts and not unknown}
    for group, role in opened:
        busy[group].append(exactly(starts.get(role, 0.0)))
    whole = None if unknown else _beside(list(map(total, busy.values())), parts)
    models = _money(steps, forecasts, stations, crews, seconds, whole)
    return RunCost(
        seconds,
        sum(starts.get(role, 0.0) for _, role in opened),
        whole,
        models,
        tuple(f"how long {role} takes to open is not known" for role in sorted(missing)),
    )


def _seconds(forecast: StepForecast, crew: Crew, parts: int) -> Spread | None:
    if forecast.engine_s is None or forecast.other_s is None or forecast.alone_s is None:
        return None
    return total(
        [
            forecast.engine_s.scaled(1 / min(crew.engines, parts)),
            forecast.other_s.scaled(1 / min(crew.hands, parts)),
            forecast.alone_s,
        ]
    )


def _beside(groups: Sequence[Spread], parts: int) -> Spread:
    """Groups one after another for the first part, beside each other from then on."""

    def last(times: Sequence[float]) -> float:
        longest = max(times, default=0.0)
        return longest + (sum(times) - longest) / parts

    return Spread(
        last([group.value for group in groups]),
        last([group.low for group in groups]),
        last([group.high for group in groups]),
    )


def _openings(steps: Sequence[KeyedStep], stations: Sequence[Station]) -> Iterator[tuple[str, str]]:
    """(group, role) for each time that the workers of a group open a model."""
    opened: set[tuple[str, int, str]] = set()
    for step, station in zip(steps, stations, strict=True):
        for role, spec in step.specs.items():
            place = (station.group, station.turn, role)
            if spec.has_weights and place not in opened:
                opened.add(place)
                yield station.group, role


def _money(
    steps: Sequence[KeyedStep],
    forecasts: Sequence[StepForecast],
    stations: Sequence[Station],
    crews: Mapping[str, Crew],
    seconds: Mapping[str, Spread | None],
    whole: Spread | None,
) -> dict[str, Spread | None]:
    """By role with a price; a device is paid for as long as the run lasts, by use if shared."""
    specs = {role: spec for step in steps for role, spec in step.specs.items()}
    groups = {role: s.group for step, s in zip(steps, stations, strict=True) for role in step.specs}
    use: defaultdict[str, float] = defaultdict(float)
    tokens: defaultdict[str, list[tuple[Spread | None, Spread | None, int]]] = defaultdict(list)
    for step, forecast in zip(steps, forecasts, strict=True):
        taken = seconds[step.step.name]
        for role in step.specs:
            use[role] += (taken.value if taken else 0.0) / len(step.specs)
            tokens[role].append((forecast.read, forecast.sampled, len(step.specs)))
    cost: dict[str, Spread | None] = {}
    for role, spec in specs.items():
        if spec.placement.price is None:
            continue
        beside = sum(use[other] for other in groups if groups[other] == groups[role])
        part = use[role] / beside if beside else 1.0
        devices = crews.get(groups[role], Crew()).devices * part
        cost[role] = _cost(spec, tokens[role], whole.scaled(devices) if whole else None)
    return cost


def _cost(
    spec: ModelSpec,
    tokens: Sequence[tuple[Spread | None, Spread | None, int]],
    device_s: Spread | None,
) -> Spread | None:
    price = spec.placement.price
    assert price is not None, "only models with a price are asked for it"
    parts: list[Spread | None] = []
    if price.per_gpu_hour is not None:
        parts.append(device_s.scaled(price.per_gpu_hour / _HOUR_S) if device_s else None)
    for read, sampled, roles in tokens:
        for count, each in ((read, price.per_million_read), (sampled, price.per_million_sampled)):
            if each is not None:
                parts.append(count.scaled(each / _MILLION / roles) if count else None)
    known = [part for part in parts if part is not None]
    return total(known) if len(known) == len(parts) else None
