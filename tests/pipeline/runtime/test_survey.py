from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engines.devices import Machine
from pipeline.runtime.fitting import Load
from pipeline.runtime.fleet import Seat, plan_fleet
from pipeline.runtime.stations import stations
from pipeline.runtime.survey import survey_fleet
from schemas.errors import InputError
from tests.pipeline.rigs import GIB_MB, cpu, gpus, model_folder, rig


def test_a_survey_puts_everything_together(tmp_path: Path) -> None:
    paths = {
        "policy": model_folder(tmp_path / "a", 10),
        "judge": model_folder(tmp_path / "b", 16),
        "big": model_folder(tmp_path / "c", 100, num_attention_heads=8),
    }
    placement = {"models": {"big": {"devices": [1, 2], "tensor_parallel": 2}}}
    plan, specs = rig(["policy", "judge", "big"], placement, None, paths)
    found = survey_fleet(plan, specs, gpus(3))
    assert found.fleet == plan_fleet(plan, specs, gpus(3))
    assert found.stations == stations(plan, specs)
    big, general = found.fleet.seats
    assert found.loads == (
        Load(big, ("big",), 100 * GIB_MB, 144 * GIB_MB),
        Load(general, ("policy", "judge"), 16 * GIB_MB, 72 * GIB_MB),
    )
    assert found.notes == ()


def test_on_a_cpu_the_host_is_there_for_all(tmp_path: Path) -> None:
    paths = {"policy": model_folder(tmp_path, 2)}
    plan, specs = rig(["policy"], {"workers": 2}, None, paths)
    loads = survey_fleet(plan, specs, cpu(gib=24)).loads
    assert [(load.needs_mb, load.has_mb) for load in loads] == [(5 * GIB_MB, 24 * GIB_MB)] * 2


def test_this_process_is_a_worker_too() -> None:
    plan, specs = rig(["policy"], {"workers": 0}, {"policy": "scripted"})
    found = survey_fleet(plan, specs, cpu())
    assert found.fleet.seats == ()
    assert found.loads == (Load(Seat("worker0"), ("policy",), 0, None),)


def test_a_model_that_is_not_here_is_said_to_be_unknown() -> None:
    plan, specs = rig(["policy"])
    found = survey_fleet(plan, specs, gpus(1))
    assert (found.loads[0].needs_mb, found.loads[0].has_mb) == (None, 72 * GIB_MB)
    assert any("policy" in note and "not known" in note for note in found.notes)


def test_idle_gpus_are_told() -> None:
    plan, specs = rig(["policy"], {"devices": [1]})
    notes = survey_fleet(plan, specs, gpus(3)).notes
    assert any(note.startswith("GPU 0, 2: not used") for note in notes)


def test_gpus_that_others_use_are_told() -> None:
    plan, specs = rig(["policy"])
    notes = survey_fleet(plan, specs, gpus(1, gib=80, free_gib=20)).notes
    assert any("GPU 0 (20.0 of 80.0 GiB free); vLLM takes 90%" in note for note in notes)
    plan, specs = rig(["policy"], None, {"policy": "transformers"})
    notes = survey_fleet(plan, specs, gpus(1, gib=80, free_gib=20)).notes
    assert not any("free" in note for note in notes)


def test_gpus_that_nobody_lists_are_told() -> None:
    plan, specs = rig(["policy"])
    notes = survey_fleet(plan, specs, Machine("", (), (0,), 1024)).notes
    assert any("nvidia-smi does not list the GPUs" in note for note in notes)


def test_all_problems_come_at_once() -> None:
    placement = {"devices": [9], "models": {"judge": {"devices": [8]}}}
    plan, specs = rig(["policy", "judge"], placement)
    with pytest.raises(InputError) as caught:
        survey_fleet(plan, specs, gpus(1))
    assert str(caught.value).splitlines() == [
        "2 problems with the workers",
        "placement.models.judge.devices: there is no GPU 8 here",
        "    allowed: 0",
        "placement.devices: there is no GPU 9 here",
        "    allowed: 0",
    ]
