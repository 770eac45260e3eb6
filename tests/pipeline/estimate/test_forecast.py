"""From what was seen on few rows to what a step will come to on many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import Field

from pipeline.estimate.bounds import bound_steps
from pipeline.estimate.evidence import Evidence, Measured, Pace
from pipeline.estimate.forecast import StepForecast, forecast_steps
from pipeline.estimate.spread import Spread, exactly, share
from pipeline.folders import LocalFolder
from pipeline.recipe.plan import Step
from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.reports import StepReport, Usage
from pipeline.runtime.store import StepFolder
from schemas.stage import Effect, StageConfig
from tests.pipeline.fakes import NoConfig, stage
from tests.pipeline.rigs import spec


class KeepConfig(StageConfig):
    keep: int | float = Field(4, description="How many.")


class SampleConfig(StageConfig):
    n: int = Field(3, description="How many.")
    max_tokens: int = Field(100, description="How long.")


def chain(*effects: Effect, exports: int = 0) -> list[KeyedStep]:
    """A source, steps with these effects, and exports."""
    steps = [_keyed(0, "source", None)]
    for effect in effects:
        steps.append(_keyed(len(steps), effect, len(steps) - 1))
    last = len(steps) - 1
    steps += [replace(_keyed(last + 1 + n, "map", last), is_export=True) for n in range(exports)]
    return steps


def _keyed(
    number: int, effect: Effect, parent: int | None, config: StageConfig | None = None
) -> KeyedStep:
    name = f"s{number}"
    config = config or NoConfig()
    step = Step(number, name, stage(name, type(config), effect=effect), config, ())
    folder = StepFolder.at(LocalFolder(Path("work")), number, name, "k" * 32)
    return KeyedStep(number, step, "k" * 32, folder, parent, {}, None, {})


def keeping(step: KeyedStep, keep: int | float) -> KeyedStep:
    return _keyed(step.number, "filter", step.parent, KeepConfig(keep=keep))


def evidence(
    rows_in: int, rows_out: int, usage: Usage | None = None, pace: Pace | None = None, most: int = 1
) -> Evidence:
    report = StepReport(rows_in, rows_out, rejects={"short": 2}, usage=usage or Usage())
    return Evidence(report, most, nbytes=80, nbytes_part=1000, pace=pace)


def forecast(
    steps: list[KeyedStep], *seen: Evidence | None, rows: int = 1000, part_rows: int = 256
) -> list[StepForecast]:
    names = {f"s{n}": each for n, each in enumerate(seen) if each is not None}
    return forecast_steps(steps, Measured("a probe", names), rows, part_rows)


def test_rows_go_by_the_share_that_stayed() -> None:
    found = forecast(chain("filter"), evidence(8, 8), evidence(8, 4))
    assert found[0].rows_in == exactly(1000)
    assert found[1].rows_out == share(8, 4).scaled(1000)


def test_steps_in_a_row_are_as_certain_as_their_rows_are_many() -> None:
    """Ten filters that let all pass say of eight rows no less than one of them does."""
    steps = chain(*["filter"] * 10)  # type: ignore[list-item] # an Effect each
    found = forecast(steps, *[evidence(8, 8)] * 11)
    assert found[-1].rows_out == found[0].rows_out


def test_a_row_that_becomes_several_varies_by_as_many() -> None:
    found = forecast(chain("expand"), evidence(8, 8), evidence(8, 16, most=4))
    assert found[1].rows_out == share(8, 16, 4).scaled(1000)


def test_an_export_turns_nothing_away() -> None:
    found = forecast(chain("filter", exports=1), evidence(8, 8), evidence(8, 4), evidence(4, 8))
    rows = found[1].rows_out
    assert rows is not None
    assert found[2].rows_in == rows and found[2].rows_out == rows.scaled(2)


@pytest.mark.parametrize(
    ("keep", "rows"), [(4, exactly(4)), (0.25, exactly(250)), (5000, exactly(1000))]
)
def test_a_selection_keeps_what_it_is_told(keep: int | float, rows: Spread) -> None:
    source, keeper = chain("filter")
    found = forecast(
        [source, keeping(keeper, keep)], evidence(8_000_000, 8_000_000), evidence(8, 4)
    )
    got = found[1].rows_out
    assert got is not None
    assert got.value == pytest.approx(rows.value)
    assert got.low == pytest.approx(rows.value, rel=1e-3)


def test_after_a_step_that_left_nothing_nothing_is_said() -> None:
    found = forecast(chain("filter", "map"), evidence(8, 8), evidence(8, 0), None)
    assert found[1].rows_in is not None and found[1].rows_out is None
    assert found[1].why == "none of 8 rows was left after it (short 2)"
    assert (found[2].rows_in, found[2].rows_out, found[2].read) == (None, None, None)


def test_after_a_step_that_was_not_reached_nothing_is_said() -> None:
    found = forecast(chain("map", "map"), evidence(8, 8), None, evidence(8, 8))
    assert found[1].why == "it was not reached" and found[1].rows_in is not None
    assert found[2].rows_in is None


def test_a_half_done_run_counts_each_step_by_its_own_rows() -> None:
    found = forecast(chain("filter"), evidence(800, 800), evidence(100, 50))
    rows = found[1].rows_out
    assert rows is not None and rows.value == pytest.approx(500)
    assert rows.high - rows.low > share(800, 400).scaled(1000).high - 500, "of 100 rows, not 800"


def test_tokens_time_and_disk_are_by_row_and_by_part() -> None:
    usage = Usage(requests=16, prompt_tokens=400, sampled_tokens=160)
    pace = Pace(8, engine_s=4.0, other_s=0.8, part_s=0.1, alone_s=0.08, once_s=1.0)
    (found,) = forecast(chain(), evidence(8, 8, usage, pace))
    assert found.requests == exactly(2000)
    assert found.read == exactly(50_000)
    assert found.sampled == exactly(20_000)
    assert found.engine_s == exactly(500)
    assert found.other_s is not None and found.other_s.value == pytest.approx(100 + 4 * 0.1)
    assert found.alone_s is not None and found.alone_s.value == pytest.approx(10 + 1)
    assert found.nbytes == exactly(80 / 8 * 1000 + 4 * 1000)


def test_answers_of_various_lengths_make_tokens_and_time_uncertain() -> None:
    usage = Usage(requests=16, sampled_tokens=160)
    (found,) = forecast(chain(), evidence(8, 8, usage, Pace(8, engine_s=4.0, deviation=1.0)))
    assert found.sampled is not None and found.engine_s is not None
    assert found.sampled.high == pytest.approx(20_000 * (1 + 1.96 / 4))
    assert found.engine_s.high == pytest.approx(500 * (1 + 1.96 / 4))


def test_without_a_clock_there_is_no_time() -> None:
    (found,) = forecast(chain(), evidence(8, 8))
    assert found.rows_out is not None and found.engine_s is None
    assert found.why == "nobody saw how long it took"


def test_before_anything_ran_there_are_bounds() -> None:
    source, _, keeper, export = chain("map", "filter", exports=1)
    asked = _keyed(1, "map", 0, SampleConfig())
    asked.specs["policy"] = spec("policy", "scripted")
    found = bound_steps([source, asked, keeping(keeper, 7), export], 1000)
    assert all(step.bound and step.engine_s is None for step in found)
    assert found[0].rows_out == Spread(1000, 0, 1000)
    assert found[1].requests == Spread(3000, 0, 3000)
    assert found[1].sampled == Spread(300_000, 0, 300_000)
    assert found[2].rows_out == Spread(7, 0, 7)
    assert found[3].rows_in == Spread(7, 0, 7)


def test_nothing_bounds_how_many_rows_a_row_becomes() -> None:
    found = bound_steps(chain("expand", "map"), 1000)
    assert found[1].rows_out is None and found[2].rows_in is None
