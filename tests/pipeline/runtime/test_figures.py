"""Figures of whole runs: where they end up, what they are, and what gates make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.audit.report import make_audit
from pipeline.cli.main import main
from pipeline.dataset.read import open_dataset
from pipeline.files import read_json, write_json
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.job import run_job
from pipeline.runtime.run_labels import read_run_labels
from pipeline.runtime.summary import Summary
from pipeline.runtime.watch import WatchOptions, watching
from schemas.errors import GateFailed
from schemas.figures import audit_name, meaning

RECIPE = """
name: scripted
seed: {seed}
models: {{policy: {{engine: scripted, model: echo}}}}
stages:
  - {{stage: magpie, model: policy, rows: 12}}
  - {{stage: respond, model: policy, n: 3}}
  - {{stage: judge, model: policy}}
  - {{stage: pair}}
export: [{{config: dpo}}, {{config: kto}}]
gates: {{rules: [{rules}]}}
placement: {{workers: 0, part_rows: 5}}
"""


def recipe(folder: Path, rules: str = "", seed: int = 7) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(rules=rules, seed=seed))
    return path


def run(folder: Path, rules: str = "", seed: int = 7, **more: Any) -> Summary:
    plan = compile_recipe(read_recipe(recipe(folder, rules, seed), [], None))
    out = folder / f"out{seed}"
    with watching("scripted", out, [], WatchOptions(True, None, None)) as watch:
        return watch.finish(run_job(plan, out, "if_possible", watch.progress, **more))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    run(folder)
    return folder


def test_manifest_run_and_status_have_the_same_figures(
    once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = once / "out7"
    assert main(["run", str(recipe(once)), "--out", str(out), "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)["figures"]
    assert main(["status", str(out), "--json"]) == 0
    assert told == json.loads(capsys.readouterr().out)["figures"] == open_dataset(out).figures
    assert told["dpo.rows"] == 12
    assert told["kto.rows"] == 24
    assert told["steps.respond.rows_out"] == 12
    assert told["tokens.sampled"] == sum(
        v for k, v in told.items() if k.endswith(".sampled_tokens")
    )
    assert not [name for name in told if "does not know" in meaning(name)]


def test_the_figures_of_the_audit_are_all_there(once: Path) -> None:
    figures = open_dataset(once / "out7").figures
    audit = make_audit(read_run_labels(once / "out7", published=True), None, 0)
    had = {
        audit_name(section.key, line.name, measure): value.value
        for section in audit.sections
        for line in section.lines
        for measure, value in line.values.items()
        if value.value is not None
    }
    assert had
    kept = {name: value for name, value in figures.items() if name.startswith("audit.")}
    assert kept == pytest.approx(had, rel=1e-5)


def test_a_run_with_nothing_to_do_measures_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    place = tmp_path / "out7" / "figures.json"
    kept = read_json(place)
    assert kept is not None
    write_json(place, {**kept, "figures": {"dpo.rows": 5}})
    assert run(tmp_path).figures == {"dpo.rows": 5}
    write_json(place, {**kept, "of": {**kept["of"], "reports": "of other work"}, "figures": {}})
    assert run(tmp_path).figures == kept["figures"]


def test_a_failed_gate_leaves_the_dataset_as_it_was(tmp_path: Path) -> None:
    run(tmp_path)
    folder = tmp_path / "out7" / "dataset"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    figures = open_dataset(folder).figures
    with pytest.raises(GateFailed, match=r"gate dpo\.margin\.mean: .* is below 9 \(min\)"):
        run(tmp_path, "{figure: dpo.margin.mean, min: 9}, {figure: dpo.ties, max: 1}")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert open_dataset(folder).figures == figures


def test_a_gate_on_what_the_run_cannot_say_fails_with_the_reason(tmp_path: Path) -> None:
    name = "audit.ratings.judge_policy_echo.Elo"
    with pytest.raises(GateFailed, match="cannot be had: all answers are by one model"):
        run(tmp_path, f"{{figure: {name}, min: 1}}")


def test_a_release_counts_all_rows_and_measures_the_new_ones(tmp_path: Path) -> None:
    run(tmp_path)
    last = open_dataset(tmp_path / "out7")
    rules = "{figure: dpo.rows, max_drop: 0}, {figure: dpo.margin.mean, max_drop: 0.99}"
    second = run(tmp_path, rules, seed=8, last=last, number=2).figures
    assert (second["dpo.rows"], second["dpo.new_rows"]) == (24, 12)
    alone = run(tmp_path / "alone", seed=8) if (tmp_path / "alone").mkdir() is None else None
    assert alone is not None
    assert second["dpo.margin.mean"] == alone.figures["dpo.margin.mean"]


def test_a_quality_that_fell_since_the_last_release_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    last = open_dataset(tmp_path / "out7")
    last.manifest["figures"]["dpo.margin.mean"] = 50.0
    with pytest.raises(GateFailed, match=r"max_drop 0\.1\); the last release had 50"):
        run(tmp_path, "{figure: dpo.margin.mean, max_drop: 0.1}", seed=8, last=last, number=2)
    assert not (tmp_path / "out8" / "dataset").exists()


def test_given_labels_are_audited_only_if_a_gate_asks(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {n}?", "chosen": "A number.", "rejected": "No."} for n in range(5)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = (
        "name: given\nstages: [{stage: load_pairs, path: pairs.jsonl}]\n"
        "export: [{config: dpo}]\nplacement: {workers: 0}\n"
    )
    path, out = tmp_path / "given.yaml", str(tmp_path / "out")
    path.write_text(text)
    assert main(["run", str(path), "--out", out, "--quiet"]) == 0
    assert not [name for name in open_dataset(tmp_path / "out").figures if name[:6] == "audit."]
    path.write_text(
        text + "gates: {rules: [{figure: audit.length.label.longer_preferred, min: 1}]}"
    )
    assert main(["run", str(path), "--out", out, "--quiet"]) == 0
    assert open_dataset(tmp_path / "out").figures["audit.length.label.longer_preferred"] == 1.0
