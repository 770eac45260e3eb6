"""`prefmill diff`: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main
from schemas.recipe import Splits
from tests.pipeline.compare.datasets import answer, dataset, pair


@pytest.fixture
def sides(tmp_path: Path) -> tuple[str, str]:
    """120 pairs; then 150 with other sources and margins, ten dropped, one flipped."""
    old = [pair(n) for n in range(120)]
    new = [pair(n, margin=2.0, source="th\x1bere\n") for n in range(10, 159)]
    new.append(pair(5, "no", "yes"))
    figures = ({"dpo.ties": 0.1, "dpo.rows": 120}, {"dpo.ties": 0.3, "dpo.rows": 150})
    for name, rows, known in zip(("old", "new"), (old, new), figures, strict=True):
        dataset(tmp_path / name, figures=known, dpo=rows)
    return str(tmp_path / "old"), str(tmp_path / "new")


def test_people_read_what_matters_first(
    sides: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *sides]) == 0
    said = capsys.readouterr().out
    assert "DPO: 120 rows before, 150 now" in said
    assert "39 added, 9 dropped, 111 changed (margin 110, source 110, chosen 1, rejected 1)" in said
    assert "1 labels flipped, of 111 that both have" in said
    assert "margin" in said and "large (0.99)" in said
    assert "source: large shift" in said
    assert "    th ere : 0.0% before, 99.3% now" in said
    assert "\x1b" not in said
    assert "dpo.ties  0.1     0.3" in said


def test_programs_read_json(sides: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *sides, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"old", "new", "configs", "configs_added", "configs_dropped", "figures"}
    (config,) = told["configs"]
    assert (config["added"], config["flipped"], config["columns_changed"]["margin"]) == (39, 1, 110)
    assert config["numbers"][0]["name"] == "margin"
    assert {"name": "dpo.ties", "old": 0.1, "new": 0.3} in told["figures"]


def test_prompts_that_crossed_splits_are_an_error_on_top_and_in_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [pair(n) for n in range(40)]
    dataset(tmp_path / "old", dpo=rows)
    dataset(tmp_path / "new", Splits(test=0.5), dpo=rows)
    assert main(["diff", str(tmp_path / "old"), str(tmp_path / "new")]) == 3
    assert capsys.readouterr().out.splitlines()[2].startswith("ERROR: dpo: ")


def test_a_side_without_values_is_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset(tmp_path / "old", dpo=[pair(0)], kto=[answer(0)])
    dataset(tmp_path / "new", dpo=[pair(0, p_chosen=0.5)])
    assert main(["diff", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "only the old one has the config `kto`" in said
    assert "0 rows have it before, 1 now" in said


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_no_dataset_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], which: int
) -> None:
    dataset(tmp_path / "one", dpo=[pair(0)])
    (tmp_path / "empty").mkdir()
    places = [str(tmp_path / "one"), str(tmp_path / "empty")]
    assert main(["diff", *(places if which else places[::-1])]) == 2
    assert "neither a run nor a dataset" in capsys.readouterr().err
