"""`prefmill plan` over made-up stages and a model that was resolved already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import plan as verb
from pipeline.cli.main import main
from pipeline.engines.base import ModelSpec
from pipeline.engines.scripted import EVERYTHING
from pipeline.recipe import compile as compiler
from schemas.recipe import ModelEntry, ModelPlacement
from tests.pipeline.fakes import CATALOG, GOOD, write

SPEC = ModelSpec(
    role="policy",
    entry=ModelEntry(model="echo", engine="scripted"),
    placement=ModelPlacement(),
    engine="scripted",
    path="echo",
    revision=None,
    capabilities=EVERYTHING,
    fingerprint="0123456789abcdef",
    notes=("vllm is not installed",),
)


@pytest.fixture(autouse=True)
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "load_catalog", lambda: CATALOG)
    monkeypatch.setattr(verb, "resolve_models", lambda plan: {"policy": SPEC})


def facts(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    path = write(folder, GOOD)
    assert main(["plan", str(path), "--out", str(folder / "out"), "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def keys(plan: dict[str, Any]) -> list[str]:
    return [step["key"] for step in plan["steps"]]


def test_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = facts(tmp_path, capsys)
    assert [step["step"] for step in plan["steps"]] == [
        "make",
        "answer",
        "score",
        "pair",
        "export_dpo",
    ]
    assert plan["steps"][0] | {"key": ""} == {
        "step": "make",
        "stage": "make",
        "effect": "source",
        "rows_at_most": 8,
        "models": ["policy"],
        "reads": [],
        "writes": ["messages"],
        "drops": [],
        "key": "",
        "done": False,
    }
    assert plan["models"][0]["engine"] == "scripted"
    assert len(set(keys(plan))) == 5


def test_a_change_moves_the_keys_from_there_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keys(facts(tmp_path, capsys))
    after = keys(facts(tmp_path, capsys, "--set", "stages.score.name=rated"))
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False, False]


def test_placement_moves_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    placed = ("--set", "placement={workers: 7, models: {policy: {batch_size: 3}}}")
    assert keys(facts(tmp_path, capsys, *placed)) == keys(facts(tmp_path, capsys))


def test_limit_is_a_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limited = facts(tmp_path, capsys, "--limit", "2")
    assert limited["steps"][0]["rows_at_most"] == 2
    assert keys(limited) != keys(facts(tmp_path, capsys))


def test_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(write(tmp_path, GOOD))]) == 0
    page = capsys.readouterr().out
    assert "at most 8 source rows" in page
    assert "in runs/test" in page and "to do" in page
    assert "policy  echo  scripted  0123456789abcdef" in page
    assert "note: vllm is not installed" in page
