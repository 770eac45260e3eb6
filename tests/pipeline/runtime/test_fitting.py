"""What does not fit is said with what is needed and what is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.devices import Machine
from pipeline.runtime.fitting import fleet_problems
from schemas.errors import Problem
from tests.pipeline.rigs import cpu, gpus, model_folder, rig

UNLISTED = Machine("", (), (0,), 1024)
"""There are GPUs, and nvidia-smi does not say which."""


def problems(
    steps: list[str],
    placement: dict[str, Any],
    machine: Machine,
    paths: dict[str, Path] | None = None,
    **engines: str,
) -> list[Problem]:
    plan, specs = rig(steps, placement, engines, paths)
    return fleet_problems(plan, specs, machine)


def only(*arguments: Any, **options: Any) -> Problem:
    (problem,) = problems(*arguments, **options)
    return problem


@pytest.mark.parametrize(
    ("placement", "machine"),
    [
        ({}, gpus(1)),
        ({}, cpu()),
        ({"workers": 2}, cpu(cores=2)),
        ({"workers": 0}, gpus(1)),
        ({"workers": 8}, gpus(8)),
        ({"devices": [7]}, gpus(8)),
        ({"workers": 99, "scheduler": "tcp://a:1"}, cpu()),
        ({"workers": 99, "cluster": {"kind": "slurm"}}, gpus(1)),
        ({"workers": 3}, UNLISTED),
        ({"devices": [5]}, UNLISTED),
    ],
)
def test_what_fits_is_no_problem(placement: dict[str, Any], machine: Machine) -> None:
    assert problems(["policy", "judge"], placement, machine, judge="scripted") == []


def test_a_device_that_is_not_there() -> None:
    problem = only(["policy"], {"devices": [0, 9]}, gpus(2))
    assert problem == Problem("placement.devices", "there is no GPU 9 here", "0, 1")
    problem = only(["policy"], {"models": {"policy": {"devices": [2]}}}, gpus(2))
    assert problem.key == "placement.models.policy.devices"


def test_no_devices_at_all() -> None:
    problem = only(["policy"], {"devices": [0]}, cpu())
    assert problem.key == "placement.devices"
    assert "engines run on the CPU: no NVIDIA driver" in problem.seen
    assert problems(["policy"], {"devices": [0]}, cpu(), policy="scripted") == []


def test_too_few_devices() -> None:
    problem = only(["policy"], {"workers": 3}, gpus(2))
    assert problem.key == "placement.workers"
    assert problem.seen == "3 workers on 3 GPUs; there for them: 0, 1"
    assert "this machine has 2 for all" in problem.advice


def test_too_few_devices_for_a_split_model() -> None:
    placement = {"models": {"policy": {"workers": 2, "tensor_parallel": 2, "devices": [0, 1, 2]}}}
    problem = only(["policy"], placement, gpus(4))
    assert problem.key == "placement.models.policy.workers"
    assert problem.seen == "2 workers of `policy` on 4 GPUs, 2 each; there for them: 0, 1, 2"
    assert "list more" in problem.advice
    assert [found.key for found in problems(["policy"], placement, UNLISTED)] == [problem.key]


def test_models_of_their_own_leave_none() -> None:
    placement = {"models": {"judge": {"devices": [0, 1]}}}
    problem = only(["policy", "judge"], placement, gpus(2))
    assert problem.seen == "1 worker on 1 GPU; there for them: none"


def test_only_vllm_splits_a_model() -> None:
    placement = {"models": {"policy": {"tensor_parallel": 2}}}
    problem = only(["policy"], placement, gpus(2), policy="transformers")
    assert problem.key == "placement.models.policy.tensor_parallel"
    assert problem.seen == "2, and `policy` runs on transformers"


def test_heads_are_divided_evenly(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, 1, num_attention_heads=9)
    placement = {"models": {"policy": {"tensor_parallel": 2}}}
    problem = only(["policy"], placement, gpus(2), {"policy": folder})
    assert "2 does not divide the 9 attention heads" in problem.seen
    assert problem.allowed == "1, 3, 9"
    placement = {"models": {"policy": {"tensor_parallel": 3}}}
    assert problems(["policy"], placement, gpus(3), {"policy": folder}) == []


def test_a_model_that_is_too_large_for_its_gpu(tmp_path: Path) -> None:
    paths = {"policy": model_folder(tmp_path, 73, num_attention_heads=8)}
    problem = only(["policy"], {"workers": 2}, gpus(2, gib=80), paths)
    assert problem.key == "models.policy"
    assert "needs at least 73.0 GiB (73.0 weights, 0.0 KV cache" in problem.seen
    assert "GPU 0 gives it 72.0 GiB (gpu_memory_share 0.9)" in problem.seen
    assert "tensor_parallel" in problem.advice


@pytest.mark.parametrize(
    ("policy", "fits"),
    [
        ({"tensor_parallel": 2}, True),
        ({"gpu_memory_share": 0.95}, True),
        ({"devices": [0, 1], "tensor_parallel": 2}, True),
        ({"workers": 2}, False),
    ],
)
def test_what_helps_a_model_that_is_too_large(
    tmp_path: Path, policy: dict[str, Any], fits: bool
) -> None:
    paths = {"policy": model_folder(tmp_path, 73, num_attention_heads=8)}
    found = problems(["policy"], {"models": {"policy": policy}}, gpus(2, gib=80), paths)
    assert (found == []) == fits


def test_the_window_has_to_fit_too(tmp_path: Path) -> None:
    config = {
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "num_hidden_layers": 32,
        "max_position_embeddings": 131072,
    }
    paths = {"policy": model_folder(tmp_path, 12, **config)}
    problem = only(["policy"], {}, gpus(1, gib=80), paths)
    assert "76.0 GiB (12.0 weights, 64.0 KV cache of one full window)" in problem.seen
    assert "lower `max_model_len`" in problem.advice


def test_transformers_takes_the_whole_of_one_gpu(tmp_path: Path) -> None:
    paths = {"policy": model_folder(tmp_path, 79)}
    assert problems(["policy"], {}, gpus(1), paths, policy="transformers") == []


def test_a_gpu_that_hides_its_memory_is_not_judged(tmp_path: Path) -> None:
    paths = {"policy": model_folder(tmp_path, 999)}
    machine = gpus(1)
    blind = replace(machine, devices=(replace(machine.devices[0], memory_mb=None),))
    assert problems(["policy"], {}, blind, paths) == []
    assert problems(["policy"], {}, machine, paths) != []


def test_more_engines_than_cores() -> None:
    placement = {"workers": 2, "models": {"judge": {"workers": 1}}}
    problem = only(["policy", "judge"], placement, cpu(cores=2))
    assert (problem.key, problem.allowed) == ("placement.workers", "at most 2 together")
    assert problem.seen.startswith("3 engines at the same time, and 2 CPU cores")
    assert problems(["policy", "judge"], placement, cpu(cores=3)) == []
    assert problems(["policy", "judge"], placement, cpu(cores=2), judge="scripted") == []


def test_engines_that_are_open_together_share_the_hosts_memory(tmp_path: Path) -> None:
    paths = {
        "policy": model_folder(tmp_path / "a", 5, "F32"),
        "judge": model_folder(tmp_path / "b", 8, "BF16"),
    }
    placement = {"workers": 2, "models": {"judge": {"workers": 1}}}
    problem = only(["policy", "judge"], placement, cpu(cores=4, gib=28), paths)
    assert problem.key == "placement"
    assert "need at least 29.0 GiB together" in problem.seen
    assert "(1 worker of `judge`, 17.0 GiB each; 2 workers, 6.0 GiB each)" in problem.seen
    assert "this machine has 28.0 GiB" in problem.seen
    assert problems(["policy", "judge"], placement, cpu(cores=4, gib=29), paths) == []


def test_models_that_take_turns_are_not_open_together(tmp_path: Path) -> None:
    paths = {
        "policy": model_folder(tmp_path / "a", 5, "F32"),
        "judge": model_folder(tmp_path / "b", 8, "BF16"),
    }
    assert problems(["policy", "judge"], {}, cpu(gib=17), paths) == []
    assert "at least 17.0 GiB" in only(["policy", "judge"], {}, cpu(gib=16), paths).seen
    assert only(["policy", "judge"], {"workers": 0}, cpu(gib=16), paths).key == "placement"


def test_a_cache_that_holds_no_window_of_a_cpu_model(tmp_path: Path) -> None:
    config = {
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "num_hidden_layers": 16,
        "max_position_embeddings": 32768,
    }
    paths = {"policy": model_folder(tmp_path, 1, **config)}
    problem = only(["policy"], {}, cpu(), paths)
    assert problem.key == "placement.models.policy.kv_cache_mb"
    assert "is 1.0 GiB, and one request that fills its window needs 2.0 GiB" in problem.seen
    larger = {"models": {"policy": {"kv_cache_mb": 2048}}}
    assert problems(["policy"], larger, cpu(), paths) == []


def test_models_on_the_same_cores_are_split_alike() -> None:
    placement = {"models": {"judge": {"tensor_parallel": 2}}}
    problem = only(["policy", "judge"], placement, cpu(cores=4))
    assert problem.key == "placement.models.policy.tensor_parallel"
    assert "policy 1, judge 2" in problem.seen


def test_everything_at_once(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, 100, num_attention_heads=9)
    placement = {
        "workers": 2,
        "models": {"judge": {"devices": [5]}, "policy": {"tensor_parallel": 4}},
    }
    found = problems(["policy", "judge"], placement, gpus(4), {"policy": folder, "judge": folder})
    assert [problem.key for problem in found] == [
        "placement.models.policy.tensor_parallel",
        "placement.models.judge.devices",
        "placement.workers",
    ]
