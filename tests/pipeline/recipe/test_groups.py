from __future__ import annotations

from pipeline.recipe.groups import (
    GENERAL,
    group_of,
    groups_of,
    is_apart,
    workers_come_from_elsewhere,
)
from schemas.recipe import Cluster, ModelPlacement, Placement

PLACED = Placement(
    models={
        "policy": ModelPlacement(devices=[0]),
        "judge": ModelPlacement(workers=1),
        "other": ModelPlacement(max_num_seqs=8),
    }
)


def test_workers_or_devices_of_its_own_place_a_model_apart() -> None:
    apart = [role for role in (*PLACED.models, "unknown") if is_apart(role, PLACED)]
    assert apart == ["policy", "judge"]


def test_a_step_goes_where_its_models_are() -> None:
    assert group_of(["policy"], PLACED) == "policy"
    assert group_of(["other"], PLACED) == group_of(["unplaced"], PLACED) == GENERAL
    assert group_of([], PLACED) == GENERAL
    assert groups_of(["policy", "other"], PLACED) == {"policy": "policy", "other": GENERAL}


def test_a_server_can_be_asked_from_any_worker() -> None:
    assert group_of(["server", "judge"], PLACED, {"server"}) == "judge"
    assert group_of(["server"], PLACED, {"server"}) == GENERAL


def test_a_server_that_is_given_workers_has_a_group() -> None:
    assert group_of(["judge"], PLACED, {"judge"}) == "judge"


def test_who_starts_the_workers() -> None:
    assert not workers_come_from_elsewhere(Placement())
    assert not workers_come_from_elsewhere(Placement(cluster=Cluster(kind="local")))
    assert workers_come_from_elsewhere(Placement(cluster=Cluster(kind="slurm")))
    assert workers_come_from_elsewhere(Placement(scheduler="tcp://10.0.0.1:8786"))
