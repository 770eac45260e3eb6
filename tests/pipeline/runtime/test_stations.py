from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.stations import Station, lanes_by_group, lanes_for, stations, turns
from schemas.recipe import ModelPlacement
from tests.pipeline.rigs import rig, spec

A, B, NONE = frozenset("a"), frozenset("b"), frozenset[str]()


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ([], []),
        ([A, A, NONE, A], [0, 0, 0, 0]),
        ([NONE, A, NONE, B, NONE, A], [0, 0, 0, 1, 1, 2]),
        ([A, A | B, A | B, B], [0, 1, 1, 2]),
    ],
)
def test_another_model_is_another_turn(uses: list[frozenset[str]], expected: list[int]) -> None:
    assert turns([("", models) for models in uses]) == expected


def test_groups_count_their_own_turns() -> None:
    uses = [("", A), ("judge", frozenset(["judge"])), ("", B), ("judge", NONE), ("", A)]
    assert turns(uses) == [0, 0, 1, 0, 2]


USES = st.lists(st.tuples(st.sampled_from(["", "x"]), st.sets(st.sampled_from("abc"), max_size=2)))


@given(USES)
def test_a_turn_is_of_one_set_of_models_and_lasts_as_long_as_it_can(
    drawn: list[tuple[str, set[str]]],
) -> None:
    uses = [(group, frozenset(models)) for group, models in drawn]
    found = turns(uses)
    for group in ("", "x"):
        own = [
            (turn, models)
            for turn, (name, models) in zip(found, uses, strict=True)
            if name == group
        ]
        assert [turn for turn, _ in own] == sorted(turn for turn, _ in own)
        with_models = [(turn, models) for turn, models in own if models]
        assert all(turn == 0 for turn, _ in own[:1])
        for (turn, models), (later, others) in pairwise(with_models):
            assert later == turn + (models != others)


def test_steps_stand_where_their_models_are() -> None:
    plan, specs = rig(["policy", "", "judge", "", "policy"], {"models": {"judge": {"workers": 1}}})
    found = stations(plan, specs)
    assert [station.group for station in found] == ["", "", "judge", "judge", "", ""]
    assert [station.turn for station in found] == [0, 0, 0, 0, 0, 0]


def test_a_source_without_a_model_is_anyones() -> None:
    plan, specs = rig(["", "judge"], {"models": {"judge": {"workers": 1}}})
    assert [station.group for station in stations(plan, specs)] == ["", "judge", "judge"]


def test_a_server_takes_no_turn() -> None:
    plan, specs = rig(["policy", "server", "policy", "other"], None, {"server": "openai"})
    assert [station.turn for station in stations(plan, specs)] == [0, 0, 0, 1, 1]


def test_a_step_that_asks_a_server_too_runs_beside_its_other_model() -> None:
    placement = {"models": {"judge": {"workers": 1}}}
    plan, specs = rig(["server", "server judge"], placement, {"server": "openai"})
    assert [station.group for station in stations(plan, specs)] == ["", "judge", "judge"]


def test_a_script_stands_in_for_an_engine_and_takes_turns() -> None:
    plan, specs = rig(["a", "b"], None, {"a": "scripted", "b": "scripted"})
    assert stations(plan, specs) == (Station("", 0, 1), Station("", 1, 1), Station("", 1, 1))


@pytest.mark.parametrize(
    ("max_num_seqs", "part_rows", "lanes"),
    [(64, 256, 3), (64, 128, 5), (64, 127, 6), (64, 32, 17), (1, 10**6, 2), (256, 16, 64)],
)
def test_lanes_keep_several_batches_of_requests_in_hand(
    max_num_seqs: int, part_rows: int, lanes: int
) -> None:
    placed = spec("m", "vllm", placement=ModelPlacement(max_num_seqs=max_num_seqs))
    assert lanes_for(placed, part_rows) == lanes
    assert lanes_for(replace(placed, continuous=False), part_rows) == 1


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_lanes_hold_eight_batches_beside_the_part_that_drains(
    max_num_seqs: int, part_rows: int
) -> None:
    placed = spec("m", "openai", placement=ModelPlacement(max_num_seqs=max_num_seqs))
    lanes = lanes_for(placed, part_rows)
    assert 2 <= lanes <= 64
    assert lanes == 64 or (lanes - 1) * part_rows >= 8 * max_num_seqs
    assert lanes == 2 or (lanes - 2) * part_rows < 8 * max_num_seqs


def test_lanes_by_step() -> None:
    plan, specs = rig(
        ["fast", "slow", "", "fast slow"], {"part_rows": 32}, {"slow": "transformers"}
    )
    assert [station.lanes for station in stations(plan, specs)] == [17, 1, 1, 17, 1]


def test_lanes_as_placed() -> None:
    plan, specs = rig(["slow", ""], {"parts_in_flight": 7}, {"slow": "transformers"})
    assert [station.lanes for station in stations(plan, specs)] == [7, 7, 7]


def test_this_process_does_one_part_at_a_time() -> None:
    plan, specs = rig(["policy"], {"workers": 0, "parts_in_flight": 7})
    assert {station.lanes for station in stations(plan, specs)} == {1}
    placement = {"workers": 0, "parts_in_flight": 7, "scheduler": "tcp://a:1"}
    plan, specs = rig(["policy"], placement)
    assert {station.lanes for station in stations(plan, specs)} == {7}


def test_a_worker_has_room_for_the_step_that_asks_most() -> None:
    found = [Station("", 0, 1), Station("", 1, 5), Station("judge", 0, 2), Station("", 2, 3)]
    assert lanes_by_group(found) == {"": 5, "judge": 2}
