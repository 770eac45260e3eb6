"""`prefmill export`, and `layout` in a recipe."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import main
from pipeline.cli.verbs import build_parser
from pipeline.dataset.layouts.record import FORMS, TASKS
from pipeline.dataset.layouts.table import LAYOUTS

RECIPE = """
name: exported
seed: 7
models:
  policy: {engine: scripted, model: echo}
stages:
  - {stage: magpie, model: policy, rows: 12}
  - {stage: respond, model: policy, n: 4}
  - {stage: judge, model: policy, mode: pairwise}
  - {stage: pair, strategy: best_worst}
export:
  - {config: dpo}
placement: {workers: 0}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def out(recipe: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    assert main(["run", str(recipe), "--out", str(folder), "--quiet"]) == 0
    return folder


def exporting(recipe: Path, *entries: dict[str, str]) -> Path:
    value = yaml.safe_load(RECIPE) | {"export": list(entries)}
    recipe.write_text(yaml.safe_dump(value))
    return recipe


def _options() -> dict[str, argparse.Action]:
    verbs = next(a for a in build_parser()._actions if isinstance(a.choices, dict))
    assert isinstance(verbs.choices, dict)
    return {action.dest: action for action in verbs.choices["export"]._actions}


def test_the_help_lists_what_there_is() -> None:
    """The parser imports nothing, so it spells the names out."""
    options = _options()
    assert options["layout"].help == ", ".join(list(LAYOUTS)[:-1]) + f" or {list(LAYOUTS)[-1]}"
    assert tuple(options["task"].choices or ()) == TASKS
    assert tuple(options["form"].choices or ()) == FORMS


def test_a_finished_run(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for place in (out, out / "dataset"):
        assert main(["export", str(place), "--layout", "axolotl"]) == 0
        told = capsys.readouterr().out
        head, lines = told.split("\n\n", 1)
        folder = out / "exports" / "axolotl"
        assert head.splitlines() == [
            f"axolotl, for axolotl: {folder}",
            "  dpo: messages, chosen, rejected; rows: train 12",
        ]
        pasted = yaml.safe_load(lines)
        assert pasted["rl"] == "dpo"
        (entry,) = pasted["datasets"]
        assert Path(entry["path"]) == folder / "dpo" / "train.jsonl"
        assert len(Path(entry["path"]).read_text().splitlines()) == 12


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "ranking"])
def test_the_lines_to_paste_name_the_files(
    layout: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["export", str(out), "--layout", layout, "--out", str(out / "here")]) == 0
    assert f"{out / 'here'}" in capsys.readouterr().out.split("\n\n", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--layout", "axolotol"], "there is no layout `axolotol`; known: trl, openrlhf"),
        (["--layout", "axolotol"], "Did you mean `axolotl`?"),
        (["--layout", "ranking"], "made by the step `rank`"),
    ],
)
def test_what_cannot_be_had(
    arguments: list[str], said: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(out), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (out / "exports").exists()


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--layout", "trl"]) == 2
    assert "neither a run nor a dataset" in capsys.readouterr().err


def test_views_in_a_recipe(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exporting(
        recipe,
        {"config": "dpo", "layout": "llama_factory"},
        {"config": "dpo", "layout": "openrlhf"},
        {"config": "kto", "layout": "llama_factory"},
    )
    out = tmp_path / "out"
    assert main(["run", str(recipe), "--out", str(out), "--json"]) == 0
    folders = [out / "exports" / name for name in ("llama_factory", "openrlhf")]
    assert json.loads(capsys.readouterr().out)["exports"] == [str(folder) for folder in folders]
    assert (out / "dataset" / "dpo").is_dir() and (out / "dataset" / "kto").is_dir()
    entries = json.loads((folders[0] / "dataset_info.json").read_text())
    assert list(entries) == ["dpo_train", "kto_train"]
    assert (folders[1] / "dpo" / "train.jsonl").is_file()


def test_check_names_the_views(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exporting(recipe, {"config": "dpo"}, {"config": "dpo", "layout": "sharegpt"})
    assert main(["check", str(recipe)]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  exports: dpo",
        "  views:   dpo as sharegpt",
    ]


def test_a_view_changes_no_key(out: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    exporting(recipe, {"config": "dpo"}, {"config": "dpo", "layout": "sharegpt"})
    assert main(["run", str(recipe), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert all(step["reused"] for step in told["steps"])
    assert (out / "exports" / "sharegpt" / "dpo" / "train.jsonl").is_file()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [{"config": "dpo", "layout": "ranking"}],
            ["export[0].layout: layout `ranking` cannot hold `dpo`", "made by the step `rank`"],
        ),
        (
            [{"config": "dpo", "layout": "share_gpt"}],
            [
                "there is no layout `share_gpt`",
                "did you mean `sharegpt`?",
                "allowed: trl, openrlhf",
            ],
        ),
        (
            [{"config": "kto", "layout": "openrlhf"}],
            ["layout `openrlhf` cannot hold `kto`", "allowed: trl, llama_factory, axolotl"],
        ),
        (
            [{"config": "dpo", "layout": "sharegpt"}, {"config": "dpo", "layout": "sharegpt"}],
            ["export[1].config: `dpo` is exported twice, first by export[0]"],
        ),
    ],
)
def test_layouts_are_checked_before_anything_runs(
    entries: list[dict[str, str]],
    said: list[str],
    recipe: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", str(exporting(recipe, *entries))]) == 2
    told = capsys.readouterr().err
    assert "1 problem in the recipe" in told
    assert all(part in told for part in said)


def test_the_exporters_own_layouts_are_no_views(recipe: Path, tmp_path: Path) -> None:
    exporting(recipe, {"config": "dpo", "layout": "trl"})
    assert main(["run", str(recipe), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert not (tmp_path / "out" / "exports").exists()
