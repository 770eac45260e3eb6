"""Which executor a recipe gets; deployers that are not here are only looked up."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, get_args

import pytest

from pipeline.runtime.clusters import open_executor
from pipeline.runtime.deploy import DEPLOYERS, start_cluster
from pipeline.runtime.executors import InlineExecutor
from pipeline.runtime.fleet import Fleet
from schemas.errors import InputError
from schemas.recipe import Cluster, ClusterKind, Placement


class FakeCluster:
    """Records what is asked of a deployer."""

    made: list[FakeCluster]

    def __init__(self, **options: Any) -> None:
        if "wrong" in options:
            raise TypeError("unexpected keyword argument 'wrong'")
        self.options = options
        self.workers_asked = 0
        self.closed = False
        self.made.append(self)

    def scale(self, n: int) -> None:
        if n > 100:
            raise ValueError("quota exceeded")
        self.workers_asked = n

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def forget() -> None:
    FakeCluster.made = []


def nothing() -> None:
    """A probe that is content."""


def test_no_workers_means_this_process() -> None:
    executor = open_executor(Placement(workers=0), Fleet(), nothing, print)
    assert isinstance(executor, InlineExecutor)
    assert executor.dashboard_link is None
    executor.close()


def test_each_kind_of_the_recipe_has_its_deployer() -> None:
    assert {"local", *DEPLOYERS} == set(get_args(ClusterKind))


@pytest.mark.parametrize("kind", DEPLOYERS)
def test_a_deployer_is_imported_when_it_is_asked_for(
    kind: ClusterKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, _ = DEPLOYERS[kind]
    fake = ModuleType(module)
    setattr(fake, name, FakeCluster)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], ModuleType("parent"))
    monkeypatch.setitem(sys.modules, module, fake)
    cluster = start_cluster(kind, {"region": "here"}, 3)
    assert cluster.options == {"region": "here"}
    assert cluster.workers_asked == 3
    with pytest.raises(InputError, match=f"`{kind}` .* unexpected keyword argument 'wrong'"):
        start_cluster(kind, {"wrong": 1}, 3)
    with pytest.raises(InputError, match=f"`{kind}` .*quota exceeded"):
        start_cluster(kind, {}, 101)
    assert [made.closed for made in FakeCluster.made] == [False, True]


@pytest.mark.parametrize("kind", DEPLOYERS)
def test_a_missing_package_is_told_with_the_line_to_type(
    kind: ClusterKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, package = DEPLOYERS[kind]
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    monkeypatch.setitem(sys.modules, module, None)
    placement = Placement(cluster=Cluster(kind=kind))
    with pytest.raises(InputError) as refused:
        open_executor(placement, Fleet(), nothing, print)
    assert f'pip install "{package}"' in str(refused.value)


def test_the_local_cluster_has_no_options() -> None:
    placement = Placement(cluster=Cluster(kind="local", options={"cores": 2}))
    with pytest.raises(InputError, match=r"placement.cluster.options: .* cores"):
        open_executor(placement, Fleet(), nothing, print)
