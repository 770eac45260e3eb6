"""What is wrong with a placement in itself is said with its line, and once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.recipe import compile as compiler
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from schemas.errors import Problem, RecipeError
from tests.pipeline.fakes import CATALOG, write

RECIPE = """\
name: test
models:
  policy: {engine: scripted, model: echo}
  other: {engine: scripted, model: echo}
  server: {engine: openai, model: big, tokenizer: here}
stages:
  - {stage: make}
  - {stage: answer, models: policy}
  - {stage: score}
  - {stage: pair}
export: [{config: dpo}]
placement:
"""


@pytest.fixture(autouse=True)
def made_up_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "load_catalog", lambda: CATALOG)


def problems(folder: Path, placement: str, *overrides: str, text: str = RECIPE) -> list[Problem]:
    lines = "".join(f"  {line}\n" for line in placement.splitlines())
    try:
        compile_recipe(read_recipe(write(folder, text + lines), overrides))
    except RecipeError as error:
        return list(error.problems)
    return []


def only(folder: Path, placement: str, *overrides: str, text: str = RECIPE) -> Problem:
    (problem,) = problems(folder, placement, *overrides, text=text)
    return problem


@pytest.mark.parametrize(
    "placement",
    [
        "workers: 4096",
        "workers: 0",
        "devices: [0, 1]",
        "cluster: {kind: local}",
        "cluster: {kind: slurm, options: {queue: gpu}}",
        "scheduler: tcp://10.0.0.1:8786",
        "scheduler: tls://[::1]:8786\nworkers: 0",
        "models:\n  policy: {workers: 2}\n  server: {workers: 3}",
        "models:\n  policy: {devices: [0, 1], tensor_parallel: 2}\ndevices: [2]",
    ],
)
def test_good_placements(tmp_path: Path, placement: str) -> None:
    assert problems(tmp_path, placement) == []


@pytest.mark.parametrize(
    ("placement", "key", "allowed"),
    [
        ("workers: -1", "workers", "greater than or equal to 0"),
        ("workers: 4097", "workers", "less than or equal to 4096"),
        ("workers: 2.5", "workers", "integer"),
        ("workers: many", "workers", "integer"),
        ("part_rows: 0", "part_rows", "greater than or equal to 1"),
        ("parts_in_flight: 0", "parts_in_flight", "greater than or equal to 1"),
        ("parts_in_flight: 257", "parts_in_flight", "less than or equal to 256"),
        ("devices: [-1]", "devices[0]", "greater than or equal to 0"),
        ("devices: 3", "devices", "a list"),
        ("cluster: {kind: slrum}", "cluster.kind", "slurm"),
        ("models: {policy: {workers: 0}}", "models.policy.workers", "greater than or equal to 1"),
        ("models: {policy: {workers: 9999}}", "models.policy.workers", "equal to 4096"),
        ("models: {policy: {tensor_parallel: 0}}", "models.policy.tensor_parallel", "equal to 1"),
        ("models: {policy: {hang_timeout_s: 0}}", "models.policy.hang_timeout_s", "than 0"),
        ("models: {policy: {gpu_memory_share: 2}}", "models.policy.gpu_memory_share", "to 1"),
    ],
)
def test_absurd_values(tmp_path: Path, placement: str, key: str, allowed: str) -> None:
    problem = only(tmp_path, placement)
    assert (problem.key, problem.line) == (f"placement.{key}", 13)
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    ("placement", "key", "line", "said"),
    [
        (
            "scheduler: tcp://a:1\ncluster: {kind: slurm}",
            "placement.cluster",
            14,
            "`scheduler: tcp://a:1` of one that runs",
        ),
        ("scheduler: tcp://a:1\ncluster: {kind: local}", "placement.cluster", 14, "keep one"),
        ("cluster: {kind: local, options: {cores: 2}}", "placement.cluster.options", 13, "cores"),
        ("workers: 0\ncluster: {kind: pbs}", "placement.workers", 13, "pbs cluster do nothing"),
        ("workers: 0\ndevices: [0]", "placement.devices", 14, "set `workers: 1`"),
        (
            "workers: 0\nmodels:\n  policy: {workers: 1}",
            "placement.models.policy",
            15,
            "which starts none",
        ),
        ("scheduler: tcp://a:1\ndevices: [0]", "placement.devices", 14, "drop it"),
        (
            "cluster: {kind: slurm}\nmodels:\n  policy: {devices: [0]}",
            "placement.models.policy.devices",
            15,
            "`workers` keeps them apart",
        ),
        (
            "models:\n  server: {devices: [0]}",
            "placement.models.server.devices",
            14,
            "its server has them",
        ),
        ("devices: []", "placement.devices", 13, "leave the key out"),
        ("devices: [0, 1, 0]", "placement.devices[2]", 13, "device 0 is given twice"),
        (
            "devices: [0, 1]\nmodels:\n  policy: {devices: [1]}",
            "placement.devices[1]",
            13,
            "first by placement.models.policy.devices",
        ),
    ],
)
def test_contradictions(tmp_path: Path, placement: str, key: str, line: int, said: str) -> None:
    problem = only(tmp_path, placement)
    assert (problem.key, problem.line) == (key, line)
    assert said in str(problem)


@pytest.mark.parametrize(
    "address",
    [
        "inproc://1",
        "http://10.0.0.1:8787",
        "10.0.0.1:8786",
        "tcp://10.0.0.1",
        "tcp://:8786",
        "tcp://host:port",
        "tcp://[::1:8786",
        "tcp://host:99999",
    ],
)
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    problem = only(tmp_path, f'scheduler: "{address}"')
    assert (problem.key, problem.line) == ("placement.scheduler", 13)
    assert problem.seen == f'"{address}"'
    assert "tcp://, tls://, ws://, wss://, ucx://" in problem.allowed


def test_an_address_from_the_command_line(tmp_path: Path) -> None:
    problem = only(tmp_path, "workers: 1", "placement.scheduler=inproc://1")
    assert problem.file == "--set"


APART = "models:\n  policy: {workers: 1}\n  other: {devices: [3]}"
BOTH = RECIPE.replace("models: policy}", "models: [policy, other]}")


@pytest.mark.parametrize(
    ("placement", "advice"),
    [
        (APART, "placement.models.policy, placement.models.other"),
        ("models:\n  other: {workers: 2}", "placement.models.other"),
    ],
)
def test_a_step_cannot_be_in_two_places(tmp_path: Path, placement: str, advice: str) -> None:
    problem = only(tmp_path, placement, text=BOTH)
    assert (problem.key, problem.line) == ("stages[1].models", 8)
    assert "uses `policy`, `other`, which are not on the same workers" in problem.seen
    assert problem.advice.startswith("write a step for each of them, or place them together")
    assert problem.advice.endswith(advice)


def test_a_step_may_use_a_model_apart_and_a_server(tmp_path: Path) -> None:
    text = RECIPE.replace("models: policy}", "models: [policy, server]}")
    assert problems(tmp_path, "models:\n  policy: {workers: 1}", text=text) == []


def test_a_broken_placement_is_judged_no_further(tmp_path: Path) -> None:
    assert only(tmp_path, "workers: x\nscheduler: inproc://1").key == "placement.workers"


def test_other_mistakes_do_not_hide_those_of_the_placement(tmp_path: Path) -> None:
    text = BOTH.replace("name: test", "name: '?'")
    placement = "devices: [0, 0]\nmodels:\n  other: {workers: 2}"
    found = [problem.key for problem in problems(tmp_path, placement, text=text)]
    assert found == ["name", "stages[1].models", "placement.devices[1]"]


def test_no_placement_is_a_placement(tmp_path: Path) -> None:
    assert problems(tmp_path, "", text=RECIPE.removesuffix("placement:\n")) == []
