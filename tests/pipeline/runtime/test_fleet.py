"""Who sits where, on machines made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.devices import Machine
from pipeline.runtime.fleet import Fleet, Seat, plan_fleet
from tests.pipeline.rigs import cpu, gpus, rig

Env = dict[str, str]


def fleet(steps: list[str], placement: dict[str, Any], machine: Machine, **engines: str) -> Fleet:
    plan, specs = rig(steps, placement, engines)
    return plan_fleet(plan, specs, machine)


def sees(*devices: int) -> Env:
    visible = ",".join(map(str, devices))
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": visible}


def bound(cores: str) -> Env:
    return {
        "VLLM_CPU_OMP_THREADS_BIND": cores,
        "OMP_NUM_THREADS": str(len(cores.split(","))),
        "OMP_PLACES": "{" + cores + "}",
        "OMP_PROC_BIND": "true",
    }


def test_two_models_take_turns_on_one_gpu() -> None:
    found = fleet(["policy", "judge"], {}, gpus(1))
    assert found == Fleet((Seat("worker0", "", (0,), sees(0)),), {"": 3})


POLICY = {"devices": [0, 1, 2, 3], "tensor_parallel": 2}


def test_eight_gpus_a_policy_on_four_a_judge_on_one_and_the_rest_shared() -> None:
    placement = {"workers": 3, "models": {"policy": POLICY, "judge": {"devices": [4]}}}
    found = fleet(["policy", "reference", "judge"], placement, gpus(8))
    assert found.seats == (
        Seat("policy-0", "policy", (0, 1), sees(0, 1), children=True),
        Seat("policy-1", "policy", (2, 3), sees(2, 3), children=True),
        Seat("judge-0", "judge", (4,), sees(4)),
        Seat("worker0", "", (5,), sees(5)),
        Seat("worker1", "", (6,), sees(6)),
        Seat("worker2", "", (7,), sees(7)),
    )
    assert found.lanes == {"policy": 3, "": 3, "judge": 3}


def test_two_workers_on_a_cpu_have_a_core_each() -> None:
    found = fleet(["policy"], {"workers": 2}, cpu(cores=2))
    assert found.seats == (
        Seat("worker0", env=bound("0")),
        Seat("worker1", env=bound("1")),
    )


def test_one_engine_has_all_cores_without_being_told() -> None:
    assert fleet(["policy", "judge"], {}, cpu(cores=8)).seats == (Seat("worker0"),)


def test_only_engines_with_weights_are_bound_to_cores() -> None:
    placement = {"workers": 2, "models": {"policy": {"workers": 2}, "judge": {"workers": 1}}}
    steps = ["policy", "echo", "judge"]
    found = fleet(steps, placement, cpu(cores=7), judge="transformers", echo="scripted")
    assert {seat.name: seat.env for seat in found.seats} == {
        "policy-0": bound("0,1"),
        "policy-1": bound("2,3"),
        "judge-0": bound("4,5,6"),
        "worker0": {},
        "worker1": {},
    }


def test_an_engine_that_is_split_over_cores_has_a_list_for_each_process() -> None:
    placement = {"models": {"policy": {"workers": 1, "tensor_parallel": 2}}}
    (seat,) = fleet(["policy"], placement, cpu(cores=4)).seats
    env = {"VLLM_CPU_OMP_THREADS_BIND": "0,1|2,3"}  # vLLM sets the rest in its processes
    assert seat == Seat("policy-0", "policy", (), env, children=True)


def test_devices_of_the_general_workers_are_handed_out_in_order() -> None:
    found = fleet(["policy"], {"workers": 2, "devices": [3, 1]}, gpus(4))
    assert [seat.devices for seat in found.seats] == [(3,), (1,)]


def test_general_workers_need_the_devices_of_the_most_split_model() -> None:
    placement = {"workers": 2, "models": {"big": {"tensor_parallel": 2}}}
    found = fleet(["small", "big"], placement, gpus(4))
    assert [(seat.devices, seat.children) for seat in found.seats] == [
        ((0, 1), True),
        ((2, 3), True),
    ]


def test_a_model_with_workers_and_no_list_takes_free_devices_first() -> None:
    placement = {"workers": 1, "models": {"judge": {"workers": 2}, "policy": {"devices": [0]}}}
    found = fleet(["other", "judge", "policy"], placement, gpus(4))
    assert {seat.name: seat.devices for seat in found.seats} == {
        "judge-0": (1,),
        "judge-1": (2,),
        "policy-0": (0,),
        "worker0": (3,),
    }


@pytest.mark.parametrize("engine", ["scripted", "openai"])
def test_models_without_weights_need_no_device(engine: str) -> None:
    placement = {"workers": 2, "models": {"judge": {"workers": 2}}}
    found = fleet(["policy", "judge"], placement, gpus(1), policy=engine, judge=engine)
    assert [(seat.name, seat.devices, seat.env) for seat in found.seats] == [
        ("judge-0", (), {}),
        ("judge-1", (), {}),
        ("worker0", (), {}),
        ("worker1", (), {}),
    ]


def test_a_script_stands_in_for_a_model_on_devices_that_are_not_there() -> None:
    placement = {"models": {"judge": {"devices": [4, 5, 6]}}}
    found = fleet(["judge"], placement, cpu(), judge="scripted")
    assert [(seat.name, seat.devices) for seat in found.seats] == [
        ("judge-0", ()),
        ("judge-1", ()),
        ("judge-2", ()),
    ]


def test_workers_that_no_step_uses_are_not_started() -> None:
    placement = {"models": {"policy": {"workers": 1}, "unused": {"workers": 9}}}
    assert [seat.name for seat in fleet(["policy"], placement, cpu()).seats] == ["policy-0"]


@pytest.mark.parametrize(
    "placement",
    [
        {"scheduler": "tcp://a:1", "parts_in_flight": 3},
        {"cluster": {"kind": "slurm"}, "parts_in_flight": 3},
    ],
)
def test_where_others_start_the_workers_only_lanes_are_said(placement: dict[str, Any]) -> None:
    placement = {**placement, "models": {"judge": {"workers": 2}}}
    assert fleet(["policy", "judge"], placement, gpus(8)) == Fleet((), {"": 3, "judge": 3})


def test_this_process_needs_no_seat() -> None:
    assert fleet(["policy"], {"workers": 0}, gpus(2)) == Fleet((), {"": 1})


def test_devices_that_nobody_can_list_are_left_to_the_engine() -> None:
    unknown = Machine("", (), (0, 1), 1024)
    (seat,) = fleet(["policy"], {}, unknown).seats
    assert (seat.devices, seat.env) == ((), {})
    placed = fleet(["policy"], {"devices": [1]}, unknown).seats
    assert placed[0].env == sees(1)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 4), st.integers(1, 3))
def test_no_device_is_given_twice(general: int, split: int, own: int, own_split: int) -> None:
    models: dict[str, Any] = {"policy": {"tensor_parallel": split}}
    if own:
        models["judge"] = {"workers": own, "tensor_parallel": own_split}
    placement = {"workers": general, "models": models}
    machine = gpus(general * split + own * own_split)
    found = fleet(["policy", "judge"] if own else ["policy"], placement, machine)
    given_out = [device for seat in found.seats for device in seat.devices]
    assert sorted(given_out) == list(range(len(machine.devices)))
    names = [seat.name for seat in found.seats]
    assert len(names) == len(set(names)) == general + own


@given(st.integers(1, 8), st.integers(0, 8))
def test_cores_are_shared_out_whole(workers: int, more: int) -> None:
    cores = workers + more
    found = fleet(["policy"], {"workers": workers}, cpu(cores=cores))
    if workers == 1:
        assert found.seats[0].env == {}
        return
    shares = [seat.env["VLLM_CPU_OMP_THREADS_BIND"].split(",") for seat in found.seats]
    assert sorted(int(core) for share in shares for core in share) == list(range(cores))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
