from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from pipeline.recipe import catalog
from pipeline.recipe.catalog import builtin_names, find_stage, load_catalog
from schemas.errors import InputError
from tests.pipeline.fakes import MAKE, SCORE


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """An importable package with stages; entry points into it are given by the test."""
    catalog._plugins.cache_clear()
    package = types.ModuleType("made_up_plugins")
    package.MAKE, package.SCORE, package.TEXT = MAKE, SCORE, "no stage"  # type: ignore[attr-defined]  # a module built on the spot
    monkeypatch.setitem(sys.modules, package.__name__, package)
    yield package
    catalog._plugins.cache_clear()


def declare(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    found = [EntryPoint(name, value, catalog.GROUP) for name, value in entries.items()]
    monkeypatch.setattr(catalog, "entry_points", lambda group: found)


def test_the_folder_is_the_table() -> None:
    assert "pair" in builtin_names()
    assert find_stage("pair").name == "pair"
    assert not [name for name in builtin_names() if name.startswith("_")]


def test_every_module_of_the_folder_is_a_stage_of_its_name() -> None:
    loaded = load_catalog()
    records = {**loaded.steps, **loaded.exporters}
    assert tuple(sorted(records)) == builtin_names()
    assert all(record.name == name for name, record in records.items())


def test_exporters_are_no_steps() -> None:
    loaded = load_catalog()
    assert "export_dpo" in loaded.exporters
    assert "export_dpo" not in loaded.steps


def test_unknown_stage_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `pair`"):
        find_stage("pairs")


@pytest.mark.usefixtures("plugins")
def test_plugins_add_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, make="made_up_plugins:MAKE")
    assert load_catalog().steps["make"] is MAKE
    assert find_stage("make") is MAKE


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("pair", "made_up_plugins:MAKE", "takes a name"),
        ("torn", "no_such_package_anywhere:STAGE", "ModuleNotFoundError"),
        ("gone", "made_up_plugins:ABSENT", "AttributeError"),
        ("text", "made_up_plugins:TEXT", "is a str"),
        ("other", "made_up_plugins:MAKE", "calls itself `make`"),
    ],
)
def test_bad_plugins_are_left_out_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    declare(monkeypatch, **{name: value, "score": "made_up_plugins:SCORE"})
    loaded = load_catalog()
    assert reason in loaded.broken[name]
    assert loaded.steps["score"] is SCORE
    assert find_stage("pair").run.__module__ == "stages.pair"


def test_asking_for_a_broken_plugin_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, torn="no_such_package_anywhere:STAGE")
    with pytest.raises(InputError, match="ModuleNotFoundError"):
        find_stage("torn")
