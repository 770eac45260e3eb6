"""How steps add up to a run: workers, turns, groups, prices."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.estimate.forecast import StepForecast
from pipeline.estimate.run_cost import Crew, RunCost, run_cost
from pipeline.estimate.spread import Spread, exactly
from pipeline.folders import LocalFolder
from pipeline.runtime.keyed import KeyedStep, key_steps
from pipeline.runtime.stations import stations
from tests.pipeline.rigs import rig


def cost(
    steps: list[str],
    engine_s: list[float | None],
    crews: dict[str, Crew] | None = None,
    parts: int = 1,
    placement: dict[str, Any] | None = None,
    starts: dict[str, float] | None = None,
) -> RunCost:
    """Of steps that use these models and take these seconds; the export takes none."""
    plan, specs = rig(steps, placement)
    keyed = _keyed(plan, specs)
    forecasts = [
        StepForecast(
            step.step.name,
            read=exactly(1e6),
            sampled=exactly(2e6),
            engine_s=None if seconds is None else exactly(seconds),
            other_s=exactly(0.0),
            alone_s=exactly(0.0),
        )
        for step, seconds in zip(keyed, [*engine_s, 0.0], strict=True)
    ]
    opened = dict.fromkeys(specs, 10.0) if starts is None else starts
    return run_cost(keyed, forecasts, stations(plan, specs), crews or {}, opened, parts)


def _keyed(plan: Any, specs: Any) -> list[KeyedStep]:
    from pathlib import Path

    return key_steps(plan, specs, LocalFolder(Path("work")))


def test_steps_that_share_an_engine_add_up_and_it_is_opened_once() -> None:
    found = cost(["policy", "policy", ""], [100, 50, 1])
    assert found.seconds == exactly(10 + 100 + 50 + 1)
    assert found.starts_s == 10


def test_models_that_take_turns_are_opened_at_every_turn() -> None:
    found = cost(["policy", "judge", "policy"], [100, 50, 100])
    assert found.seconds == exactly(3 * 10 + 250)


APART = {"workers": 1, "models": {"judge": {"workers": 1}}}


def test_groups_work_beside_each_other_part_by_part() -> None:
    one = cost(["policy", "judge"], [190, 90], placement=APART, parts=1)
    many = cost(["policy", "judge"], [190, 90], placement=APART, parts=10)
    assert one.seconds == exactly(200 + 100)
    assert many.seconds == exactly(200 + 100 / 10)


def test_workers_share_the_work_as_far_as_there_are_parts() -> None:
    crews = {"": Crew(engines=4, hands=4, devices=4)}
    assert cost(["policy"], [100], crews, parts=8).seconds == exactly(10 + 25)
    assert cost(["policy"], [100], crews, parts=2).seconds == exactly(10 + 50)


def test_one_unknown_step_makes_the_run_unknown() -> None:
    found = cost(["policy", "policy"], [100, None])
    assert found.seconds is None
    assert found.steps["step0"] == exactly(100)


def test_a_start_that_nobody_timed_is_said() -> None:
    found = cost(["policy"], [100], starts={})
    assert found.notes == ("how long policy takes to open is not known",)


def priced(**price: float) -> dict[str, Any]:
    return {"models": {"policy": {"price": price}}}


def test_tokens_have_their_price() -> None:
    placement = priced(per_million_read=0.5, per_million_sampled=1.5)
    found = cost(["policy", "policy"], [None, None], placement=placement)
    assert found.models == {"policy": exactly(2 * (0.5 + 2 * 1.5))}, "whatever the time"


def test_devices_are_paid_for_as_long_as_the_run_lasts() -> None:
    found = cost(
        ["policy"],
        [3590 * 2],
        {"": Crew(engines=2, hands=2, devices=4)},
        parts=8,
        placement=priced(per_gpu_hour=3.0),
    )
    assert found.models["policy"] == exactly(4 * 3.0)


def test_models_that_share_devices_share_what_they_cost() -> None:
    found = cost(["policy", "judge"], [60, 30], placement=priced(per_gpu_hour=36.0))
    (money,) = found.models.values()
    assert money is not None
    assert money.value == pytest.approx((60 + 30 + 20) / 100 * 60 / 90)


def test_without_the_time_there_is_no_price_by_the_hour() -> None:
    assert cost(["policy"], [None], placement=priced(per_gpu_hour=1.0)).models == {"policy": None}


def test_intervals_go_through() -> None:
    plan, specs = rig(["policy"])
    keyed = _keyed(plan, specs)
    forecasts = [
        StepForecast(
            step.step.name,
            engine_s=Spread(10, 5, 20),
            other_s=exactly(1),
            alone_s=exactly(0),
        )
        for step in keyed
    ]
    found = run_cost(keyed, forecasts, stations(plan, specs), {}, {"policy": 3}, 1)
    assert found.seconds == Spread(25, 15, 45)
