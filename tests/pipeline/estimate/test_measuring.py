"""Probes and earlier runs of a real recipe, its model scripted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.estimate.probe import probe
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.progress import Progress

SCRIPTED = Path(__file__).parents[3] / "configs" / "scripted.yaml"
PRICE = "placement.models={policy: {price: {per_million_read: 1, per_million_sampled: 2}}}"


def estimate(
    capsys: pytest.CaptureFixture[str], out: Path, *options: str, recipe: Path = SCRIPTED
) -> dict[str, Any]:
    assert main(["plan", str(recipe), "--out", str(out), "--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["estimate"]
    return found


def steps(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["step"]: step for step in found["steps"]}


def run(capsys: pytest.CaptureFixture[str], out: Path, *options: str) -> dict[str, Any]:
    code = main(["run", str(SCRIPTED), "--out", str(out), "--json", "--quiet", *options])
    printed = capsys.readouterr().out
    assert code == 0
    return {step["step"]: step for step in json.loads(printed)["steps"]}


def test_a_probe_tells_what_the_run_comes_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = ("--set", "stages.magpie.rows=200", "--set", PRICE)
    found = estimate(capsys, tmp_path / "out", "--probe", "16", *wide)
    assert not (tmp_path / "out").exists(), "it works elsewhere"
    assert (found["from"], found["source_rows"]) == ("a probe of 16 rows", 200)
    real = run(capsys, tmp_path / "out", *wide)
    for name, step in steps(found).items():
        rows = step["rows_out"]
        assert rows["low"] <= real[name]["rows_out"] <= rows["high"], name
        usage = real[name]["usage"]
        assert step["requests"]["value"] == pytest.approx(usage["requests"], rel=0.05)
        assert step["tokens_read"]["value"] == pytest.approx(usage["prompt_tokens"], rel=0.2)
        assert step["tokens_sampled"]["value"] == pytest.approx(usage["sampled_tokens"], rel=0.2)
        assert step["seconds"]["value"] > 0
    disk = sum(path.stat().st_size for path in (tmp_path / "out" / "work").rglob("*.parts"))
    assert found["total"]["disk_bytes"]["value"] == pytest.approx(disk, rel=0.5)
    total = found["total"]
    money = total["money"]["USD"]["value"]
    tokens = total["tokens_read"]["value"] + 2 * total["tokens_sampled"]["value"]
    assert money == pytest.approx(tokens / 1e6, rel=1e-3)


def test_an_earlier_run_of_fewer_rows_is_a_probe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    real = run(capsys, out, "--limit", "12")
    found = estimate(capsys, out, "--set", "stages.magpie.rows=600")
    assert found["from"] == f"the run in {out}, of 12 source rows"
    for name, step in steps(found).items():
        assert step["rows_out"]["value"] == pytest.approx(50 * real[name]["rows_out"])
        tokens = real[name]["usage"]["sampled_tokens"]
        assert step["tokens_sampled"]["value"] == pytest.approx(50 * tokens, rel=1e-3)
        assert step["done_rows"] == 0
    assert found["total"]["seconds"]["value"] > 0
    assert any("--probe times without it" in note for note in found["notes"])
    assert "respond: timed with 12 rows; with more an engine is faster" in found["notes"]


def test_a_run_of_another_recipe_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, tmp_path, "--limit", "12")
    changed = estimate(capsys, tmp_path, "--set", "stages.pair.min_margin=0.1")
    assert steps(changed)["judge"]["rows_out"] is not None
    assert steps(changed)["pair"]["why"] == "it was not reached"
    assert estimate(capsys, tmp_path, "--set", "seed=8")["from"] == "bounds"


def test_what_is_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, tmp_path)
    found = estimate(capsys, tmp_path)
    assert {step["done_rows"] for step in found["steps"]} == {24}
    assert main(["plan", str(SCRIPTED), "--out", str(tmp_path)]) == 0
    assert "of it 0.0 s are left: the rest is done" in capsys.readouterr().out


def test_without_either_there_are_bounds_and_no_speed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = estimate(capsys, tmp_path)
    assert found["from"] == "bounds" and found["total"]["seconds"] is None
    assert steps(found)["respond"]["tokens_sampled"] == {
        "value": 24 * 4 * 1024,
        "low": 0,
        "high": 24 * 4 * 1024,
    }
    assert main(["plan", str(SCRIPTED), "--out", str(tmp_path)]) == 0
    page = capsys.readouterr().out
    assert "at most, for 24 source rows; speed is not known" in page and "<= 98,304" in page


def test_a_probe_that_loses_all_rows_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = ("--set", "stages.pair.min_margin=0.99")
    assert main(["plan", str(SCRIPTED), "--out", str(tmp_path), "--probe", "3", *strict]) == 0
    page = capsys.readouterr().out
    assert "pair: none of 3 rows was left after it (small_margin 3)" in page
    assert "export_dpo    ?" in page and "inf" not in page and "nan" not in page


def test_a_file_is_counted_and_a_probe_reads_no_more_than_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"prompt": f"What is {n} and {n}?"}) for n in range(40)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    recipe = tmp_path / "recipe.yaml"
    old = "{stage: magpie, model: policy, rows: 24}"
    new = "{stage: load_prompts, path: prompts.jsonl}"
    recipe.write_text(SCRIPTED.read_text().replace(old, new))
    found = estimate(capsys, tmp_path / "out", "--probe", "5", recipe=recipe)
    assert (found["source_rows"], found["source_rows_assumed"]) == (40, False)
    assert steps(found)["load_prompts"]["rows_out"]["value"] == 40
    few = estimate(capsys, tmp_path / "out", "--probe", "90", recipe=recipe)
    assert few["from"] == "a probe of 40 rows", "there are no more"


def test_a_selection_that_decides_on_all_rows_is_timed_apart(tmp_path: Path) -> None:
    pairs = [
        {"prompt": f"Question {n}?", "chosen": f"Answer {n} " * 5, "rejected": f"No {n}"}
        for n in range(30)
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: t\nstages:\n  - {stage: load_pairs, path: pairs.jsonl}\n"
        "  - {stage: dedup, text: [prompt, chosen], threshold: 0.9}\n"
        "export: [{config: dpo}]\nplacement: {workers: 0}\n"
    )
    plan = compile_recipe(read_recipe(recipe, [], 20))
    found = probe(plan, 20, 30, tmp_path / "work", Progress(quiet=True))
    pace = found.steps["dedup"].pace
    assert pace is not None and pace.alone_s + pace.once_s > 0
    loaded = found.steps["load_pairs"].pace
    assert loaded is not None and loaded.alone_s + loaded.once_s == 0
    assert found.steps["export_dpo"].report.rows_out == found.steps["dedup"].report.rows_out


def test_a_probe_that_fails_keeps_what_it_saw(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("rules: [{match: '', labels: {A: 0.5, B: 0.5}}]\n")
    settings = [f"models.policy.model={script}", "stages.pair.ties=drop"]
    plan = compile_recipe(read_recipe(SCRIPTED, settings, 4))
    found = probe(plan, 4, 24, tmp_path / "work", Progress(quiet=True))
    assert "judge" in found.steps and "export_kto" not in found.steps
