from __future__ import annotations

from pipeline.recipe.groups import (
    GENERAL,
    group_of,
    groups_of,
    is_apart,
    workers_come_from_elsewhere,
)
from schemas.recipe import Cluster, ModelPlacement, Placement
from tests.pipeline.rigs import rig

PLACED = {"models": {"policy": {"devices": [0]}, "judge": {"workers": 2}, "other": {}}}


def test_workers_or_devices_of_its_own_place_a_model_apart() -> None:
    placement = Placement(
        models={
            "policy": ModelPlacement(devices=[0]),
            "judge": ModelPlacement(workers=1),
            "other": ModelPlacement(max_num_seqs=8),
        }
    )
    apart = [role for role in (*placement.models, "unknown") if is_apart(role, placement)]
    assert apart == ["policy", "judge"]


def test_a_step_goes_where_its_models_are() -> None:
    plan, _ = rig(["policy", "judge", "other"], PLACED)
    assert group_of(["policy"], plan.recipe) == "policy"
    assert group_of(["other"], plan.recipe) == GENERAL
    assert group_of([], plan.recipe) == GENERAL
    assert groups_of(["policy", "other"], plan.recipe) == {"policy": "policy", "other": GENERAL}


def test_a_server_can_be_asked_from_any_worker() -> None:
    plan, _ = rig(["server judge"], PLACED, {"server": "openai"})
    assert group_of(["server", "judge"], plan.recipe) == "judge"
    assert group_of(["server"], plan.recipe) == GENERAL


def test_a_server_that_is_given_workers_has_a_group() -> None:
    plan, _ = rig(["judge"], PLACED, {"judge": "openai"})
    assert group_of(["judge"], plan.recipe) == "judge"


def test_who_starts_the_workers() -> None:
    assert not workers_come_from_elsewhere(Placement())
    assert not workers_come_from_elsewhere(Placement(cluster=Cluster(kind="local")))
    assert workers_come_from_elsewhere(Placement(cluster=Cluster(kind="slurm")))
    assert workers_come_from_elsewhere(Placement(scheduler="tcp://10.0.0.1:8786"))
