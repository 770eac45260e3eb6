"""`prefmill plan` over made-up stages and a model that was resolved already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import plan as verb
from pipeline.cli.main import main
from pipeline.engines.base import ModelSpec
from pipeline.engines.devices import Machine
from pipeline.engines.scripted import EVERYTHING
from pipeline.recipe import compile as compiler
from pipeline.recipe.plan import Plan
from pipeline.runtime import survey
from schemas.recipe import ModelEntry, ModelPlacement
from tests.pipeline.fakes import CATALOG, GOOD, write
from tests.pipeline.rigs import cpu, gpus, model_folder, spec

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
        "group": "",
        "turn": 1,
        "parts_in_flight": 1,
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


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Machine], None]:
    """Plan for this machine, with a vLLM model of 40 GiB."""

    def place(machine: Machine) -> None:
        monkeypatch.setattr(survey, "this_machine", lambda list_devices: machine)

    def resolve(plan: Plan) -> dict[str, ModelSpec]:
        folder = str(model_folder(tmp_path / "m", 40, num_attention_heads=8))
        placed = plan.recipe.placement.models.get("policy")
        return {"policy": spec("policy", "vllm", folder, placed)}

    monkeypatch.setattr(verb, "resolve_models", resolve)
    return place


APART = "placement.models.policy={devices: [0, 1, 2, 3], tensor_parallel: 2}"


def test_workers_and_where_steps_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on: Callable[[Machine], None]
) -> None:
    on(gpus(5))
    plan = facts(tmp_path, capsys, "--set", APART, "--set", "placement.part_rows=64")
    assert plan["workers"] == [
        {
            "name": f"policy-{number}",
            "group": "policy",
            "devices": devices,
            "models": ["policy"],
            "needs_mb": 40960,
            "has_mb": 147456,
        }
        for number, devices in enumerate([[0, 1], [2, 3]])
    ]
    assert {step["group"] for step in plan["steps"]} == {"policy"}
    assert [step["parts_in_flight"] for step in plan["steps"]] == [9, 9, 1, 1, 1]
    assert plan["notes"] == [
        "GPU 4: not used; raise `workers` or `tensor_parallel`, or place a model there with "
        "`devices`"
    ]


def test_the_page_shows_the_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on: Callable[[Machine], None]
) -> None:
    on(gpus(4))
    assert main(["plan", str(write(tmp_path, GOOD)), "--set", APART]) == 0
    page = capsys.readouterr().out
    assert "make        make        source  policy  policy   1     3" in page
    assert "policy-0  GPU 0, GPU 1  policy          40.0       144.0\n" in page
    assert "policy-1  GPU 2, GPU 3  policy          40.0       144.0" in page


def test_the_page_on_a_cpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on: Callable[[Machine], None]
) -> None:
    on(cpu(cores=4, gib=256))
    assert main(["plan", str(write(tmp_path, GOOD)), "--set", "placement.workers=2"]) == 0
    page = capsys.readouterr().out
    assert "worker0  CPU      policy          81.0       256.0 for all" in page
    assert "worker1" in page


def test_the_page_where_gpus_cannot_be_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on: Callable[[Machine], None]
) -> None:
    on(Machine("", (), (0,), 1024))
    assert main(["plan", str(write(tmp_path, GOOD))]) == 0
    page = capsys.readouterr().out
    assert "worker0  a GPU    policy          40.0       ?" in page
    assert "note: nvidia-smi does not list the GPUs" in page


@pytest.mark.parametrize(
    ("placed", "said"),
    [
        ("workers=0", "this process  CPU      policy          -          -"),
        ("scheduler=tcp://a:1", "workers: those of the Dask scheduler at tcp://a:1"),
        ("cluster={kind: slurm}", "workers: 1 of a slurm cluster"),
    ],
)
def test_the_page_without_workers_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], placed: str, said: str
) -> None:
    assert main(["plan", str(write(tmp_path, GOOD)), "--set", f"placement.{placed}"]) == 0
    assert said in capsys.readouterr().out


def test_what_does_not_fit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on: Callable[[Machine], None]
) -> None:
    on(gpus(1, gib=24))
    assert main(["plan", str(write(tmp_path, GOOD))]) == 2
    said = capsys.readouterr()
    assert "needs at least 40.0 GiB" in said.err
    assert "GPU 0 gives it 21.6 GiB" in said.err
    assert "Traceback" not in said.err and said.out == ""
